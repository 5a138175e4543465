//! Answers that come piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::Stream;

use crate::failing::panicked;

/// Where pieces of an answer go.
#[derive(Debug)]
pub struct Pieces<T>(mpsc::Sender<Result<T, Status>>);

impl<T> Pieces<T> {
    /// Sends one piece; waits while the caller reads too slowly. Fails when the caller has left.
    pub async fn send(&self, piece: T) -> Result<(), Status> {
        self.0.send(Ok(piece)).await.map_err(|_| Status::cancelled("the caller has left"))
    }
}

impl<T> Clone for Pieces<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A stream that `write` fills; it is stopped at its next await when the caller leaves.
pub fn streaming<T, F, R>(write: F) -> BoxStream<T>
where
    T: Send + 'static,
    F: FnOnce(Pieces<T>) -> R,
    R: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(16);
    let last = sender.clone();
    let written = write(Pieces(sender));
    let writer = tokio::spawn(async move {
        if let Err(status) = written.await {
            let _ = last.send(Err(status)).await; // nobody reads any more
        }
    });
    Box::pin(Written { pieces, writer, over: false })
}

struct Written<T> {
    pieces: mpsc::Receiver<Result<T, Status>>,
    writer: JoinHandle<()>,
    over: bool,
}

impl<T> Stream for Written<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let Poll::Ready(piece) = self.pieces.poll_recv(context) else { return Poll::Pending };
        if piece.is_some() {
            return Poll::Ready(piece);
        }
        // All senders are gone: the writer is done, or it panicked.
        let Poll::Ready(ended) = Pin::new(&mut self.writer).poll(context) else { return Poll::Pending };
        self.over = true;
        Poll::Ready(ended.err().map(|_| Err(panicked())))
    }
}

impl<T> Drop for Written<T> {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
