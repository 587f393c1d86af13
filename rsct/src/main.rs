//! The `rsct` command.

use rsct::{
    kernel::btf::KernelTypes,
    probe::{layout::Layout, session::*},
};

fn main() {
    let form = if std::env::args().nth(1).as_deref() == Some("kprobe") {
        Form::Kprobe
    } else {
        Form::Best
    };
    let types = KernelTypes::open().unwrap();
    let layout = Layout::resolve(&types).unwrap();
    let start = std::time::Instant::now();
    let session = Session::start(
        &types,
        &layout,
        &Options {
            form,
            ring_bytes: 1 << 22,
            births: 1 << 16,
            scope: Default::default(),
        },
    );
    let mut session = match session {
        Ok(session) => session,
        Err(error) => {
            println!("{error}");
            return;
        }
    };
    println!("attached in {:?}", start.elapsed());
    for hook in &session.hooks {
        println!(
            "{:40} {:10} {}",
            hook.hook.function,
            hook.how.name(),
            hook.why_not_better.join(" ; ")
        );
    }
    std::process::Command::new("sh")
        .arg("/traffic")
        .spawn()
        .unwrap()
        .wait()
        .unwrap();
    session.ring.drain(1000, |record| match record {
        rsct::probe::ring::Record::Packet(p) => {
            println!("{p:?} {:?}", rsct_common::Tuple::from_words(p.tuple).src_addr())
        }
        rsct::probe::ring::Record::Entry(e) => println!("{e:?}"),
    });
    println!("{:?} {}", session.ring.lost(), session.recursion_misses());
}
