// Opens exports of recordings in trace_processor, and compares them with what rsct itself prints about the recordings.
//
// node check.mjs ASSETS RSCT DIRECTORY RECORDING...: exports into DIRECTORY. The output has the form of rsct-tests.
import { execFileSync } from "node:child_process";
import { basename, join } from "node:path";
import { traceProcessor } from "./trace_processor.mjs";

const [assets, rsct, directory, ...recordings] = process.argv.slice(2);
const open = await traceProcessor(assets);

// The number of flows with tracks, unless --top gives another.
const TOP = 20;

// What a command prints about a recording: JSON lines.
function printed(...command) {
  const options = { encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "ignore"] };
  const lines = execFileSync(rsct, [...command, "-o", "json"], options);
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

const distinct = (values) => new Set(values).size;
const sum = (values) => values.reduce((sum, value) => sum + value, 0);
const flowOf = ({ netns, zone, orig }) => JSON.stringify([netns, zone ?? 0, orig]);

// Tracks with their groups.
const TRACKS = "track JOIN track AS parent ON track.parent_id = parent.id";
const annotation = (name) => `extract_arg(arg_set_id, 'debug.${name}')`;

// Returns a sentence for each difference between a recording and its export.
async function check(recording) {
  const trace = join(directory, `${basename(recording, ".rsct")}.pftrace`);
  execFileSync(rsct, ["export", recording, "-o", "perfetto", "-O", trace], { stdio: "ignore" });
  const { rows } = await open(trace);
  const one = async (sql) => (await rows(sql))[0]?.[0];
  const slices = (condition) => one(`SELECT count(*) FROM slice WHERE ${condition}`);

  const lines = printed("trace", "--input", recording);
  const of = (type) => lines.filter((line) => line.type === type);
  const [packets, entries, causes] = [of("packet"), of("entry"), of("cause")];
  const events = [...packets, ...entries, ...causes];
  const { tables } = printed("top", "--input", recording).filter((line) => line.tables).at(-1);

  const complaints = [];
  const same = (what, found, expected) => {
    const [is, should] = [found, expected].map((value) => JSON.stringify(value));
    if (is !== should) complaints.push(`${what}: ${is} in the export, ${should} in the recording`);
  };

  const errors = "SELECT name, value FROM stats WHERE severity IN ('error', 'data_loss') AND value > 0";
  same("errors of the import", await rows(errors), []);
  same("packets", await slices("category = 'packet'"), packets.length);
  same("operations", await slices("category = 'entry'"), entries.length);
  same("causes", await slices("category = 'cause'"), causes.length);

  const outcomes = "SELECT name, count(*) FROM slice WHERE category = 'packet' GROUP BY name ORDER BY name";
  const count = (name) => packets.filter((packet) => packet.outcome === name).length;
  const names = [...new Set(packets.map((packet) => packet.outcome))].sort();
  same("outcomes", await rows(outcomes), names.map((name) => [name, count(name)]));
  const explained = await slices(`category = 'packet' AND ${annotation("cause")} IS NOT NULL`);
  same("causes of packets", explained, packets.filter((packet) => packet.why).length);

  const first = await one("SELECT min(ts) FROM slice WHERE category IN ('packet', 'entry', 'cause')");
  same("time of the first event", first, Math.min(...events.map((event) => event.time_ns)));
  // A slice that is not nested gets the end of another.
  const measured = annotation("duration_ns");
  const wrong = `SELECT ts, dur, ${measured} FROM slice WHERE category IN ('packet', 'entry') AND dur != ifnull(${measured}, 0)`;
  same("slices with another duration than was measured", await rows(wrong), []);
  const spent = await one("SELECT sum(dur) FROM slice WHERE category = 'packet'");
  same("time in nf_conntrack_in", spent, sum(packets.map((packet) => packet.duration_ns ?? 0)));

  const cpus = await one(
    `SELECT count(DISTINCT track.name || ' ' || parent.id) FROM slice JOIN ${TRACKS} ` +
      "WHERE slice.track_id = track.id AND track.name GLOB 'CPU *' AND track.name NOT GLOB '*overlapping*'",
  );
  same("tracks of CPUs", cpus, distinct(events.map((event) => `${event.netns} ${event.cpu}`)));

  const last = (counter) => rows(
    `SELECT substr(parent.name, 7), value FROM counter JOIN ${TRACKS} ` +
      `WHERE counter.track_id = track.id AND track.name = '${counter}' GROUP BY track.id HAVING ts = max(ts) ORDER BY 1`,
  );
  const used = (value) =>
    tables.map((table) => [table.netns_name ?? String(table.netns), value(table)])
      .filter(([, value]) => value !== undefined).sort();
  same("entries at the end", await last("entries"), used((table) => table.entries));
  same("limits", await last("limit of entries"), used((table) => table.max_entries));

  const inFlows = packets.filter((packet) => packet.flow);
  const flows = new Set(inFlows.map(flowOf));
  const tracks = await one("SELECT count(DISTINCT track_id) FROM slice WHERE category = 'flow'");
  same("tracks of flows", tracks, Math.min(TOP, flows.size));
  if (flows.size <= TOP) {
    same("packets of flows", await slices("category = 'flow' AND name != 'entry'"), inFlows.length);
    const deleted = entries.filter((entry) => entry.event === "delete" && entry.kind !== "dying_already");
    const ended = await slices(`category = 'flow' AND ${annotation("end")} IN ('expired', 'netlink', 'early')`);
    same("deleted flows", ended, deleted.filter((entry) => flows.has(flowOf(entry))).length);
  }
  return complaints;
}

let [passed, failed] = [0, 0];
for (const recording of recordings) {
  const begin = Date.now();
  const complaints = await check(recording).catch((error) => [String(error.stack ?? error)]);
  const seconds = ((Date.now() - begin) / 1000).toFixed(2);
  for (const complaint of complaints) process.stdout.write(`    ${complaint.replaceAll("\n", "\n    ")}\n`);
  const name = basename(recording, ".rsct");
  process.stdout.write(`test ${name} ... ${complaints.length ? "FAILED" : "ok"} in ${seconds} s\n`);
  if (complaints.length) failed++;
  else passed++;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed ? 1 : 0);
