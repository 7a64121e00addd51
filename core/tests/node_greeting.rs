//! From `hello` to `welcome`.
mod node_common;
use node_common::*;

#[test]
fn smoke() {
    let mut rig = Rig::open(&["room_a"]);
    rig.texts(1, 3, 1);
    println!("{:?}", rig.take());
    rig.line("join room_b");
    rig.post("room_b");
    rig.line("page 1 room_a 100 10");
    rig.line("ping 4");
    rig.send(4, 4, vec![request(9)]);
    println!("{:?}", rig.take());
    println!("{:?}", rig.runs);
    rig.reply(producer(1), 4, body(77));
    rig.node.handle_ran(4, rig.now);
    rig.drain();
    println!("{:?}", rig.take());
    rig.pass(secs(60));
    println!("{:?}", rig.take());
}
