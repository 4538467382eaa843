//! The service behind a connection, which tells when requests come and when they are answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::Service;

use super::activity::{Activity, InFlight};

/// A service whose requests are told of.
#[derive(Clone, Debug)]
pub(super) struct ObservedService<S> {
    service: S,
    activity: Activity,
}

impl<S> ObservedService<S> {
    pub(super) fn new(service: S, activity: Activity) -> Self {
        Self { service, activity }
    }
}

impl<S, A, B> Service<Request<A>> for ObservedService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<ObservedBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // Given up with the future, or with the last of the answer.
        let in_flight = self.activity.request_came(request.version());
        let answering = self.service.call(request);
        Box::pin(async move {
            let response = answering.await?;
            Ok(response.map(|body| ObservedBody { body, in_flight }))
        })
    }
}

/// The body of an answer; as long as it is there, its request is being answered.
#[derive(Debug)]
pub(super) struct ObservedBody<B> {
    body: B,
    in_flight: InFlight,
}

impl<B> Body for ObservedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        // A connection asks for more once it has room for it.
        self.in_flight.piece_taken();
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            self.in_flight.piece_handed_out();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
