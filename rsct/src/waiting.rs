//! Runs futures: on the calling thread, or in an event loop where several things can happen next.

use std::{
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::runtime::{Builder, Runtime};

/// Runs a future to its end on this thread. Sockets that it opens block the thread, so it needs neither an event loop
/// nor the loop's descriptors. Must not be called inside an event loop.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes up the waiting thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Creates an event loop on this thread, with sockets and timers.
pub(crate) fn event_loop() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| io::Error::new(error.kind(), StartingLoop(error)))
}

/// The event loop cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("starting the event loop: {0}")]
struct StartingLoop(#[source] io::Error);

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[test]
    fn a_future_that_is_woken_by_another_thread_ends() {
        let mut waking = None;
        let value = block_on(poll_fn(|context| {
            if waking.is_some() {
                return Poll::Ready(7);
            }
            let waker = context.waker().clone();
            waking = Some(thread::spawn(move || {
                thread::sleep(Duration::from_millis(1));
                waker.wake();
            }));
            Poll::Pending
        }));
        assert_eq!(value, 7);
    }
}
