//! A link between two processes that can be pulled.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A link that can be pulled: a UDP proxy.
pub struct Cable {
    /// Where the dialling side sends to.
    pub address: SocketAddr,
    up: Arc<AtomicBool>,
}

impl Cable {
    /// A cable to a node's address.
    pub fn to(target: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        let up = Arc::new(AtomicBool::new(true));
        let flag = up.clone();

        std::thread::spawn(move || {
            let mut flows: BTreeMap<SocketAddr, UdpSocket> = BTreeMap::new();
            let mut packet = [0; 2048];
            while let Ok((n, from)) = socket.recv_from(&mut packet) {
                let flow = flows.entry(from).or_insert_with(|| {
                    let flow = UdpSocket::bind("127.0.0.1:0").expect("a free port");
                    let (back, answers, flag) =
                        (flow.try_clone(), socket.try_clone(), flag.clone());
                    std::thread::spawn(move || {
                        let (Ok(back), Ok(answers)) = (back, answers) else {
                            return;
                        };
                        let mut packet = [0; 2048];
                        while let Ok((n, _)) = back.recv_from(&mut packet) {
                            if flag.load(Ordering::Relaxed) {
                                let _ = answers.send_to(&packet[..n], from);
                            }
                        }
                    });

                    flow
                });

                if flag.load(Ordering::Relaxed) {
                    let _ = flow.send_to(&packet[..n], target);
                }
            }
        });

        Self { address, up }
    }

    /// Pulls it.
    pub fn pull(&self) {
        self.up.store(false, Ordering::Relaxed);
    }

    /// Plugs it in again.
    pub fn plug(&self) {
        self.up.store(true, Ordering::Relaxed);
    }
}
