//! The operations of the store: those of its library on a folder, where downloads are what S3's are.
//!
//! Who gets here has shown a valid signature. What fails here failed on our side, so it is logged.

use http::header::{CONTENT_RANGE, IF_RANGE};
use http::{HeaderMap, HeaderValue};
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

use super::range;

/// The objects of a folder.
#[derive(Debug)]
pub(super) struct Objects(FileSystem);

impl Objects {
    pub(super) fn new(files: FileSystem) -> Self {
        Self(files)
    }

    /// What of its object a download is to have, with both ends; `None` = all of it.
    async fn range_of(&self, request: &S3Request<GetObjectInput>) -> S3Result<Option<Range>> {
        let Some(range) = request.input.range else {
            return Ok(None);
        };
        let object = HeadObjectInput {
            bucket: request.input.bucket.clone(),
            key: request.input.key.clone(),
            ..HeadObjectInput::default()
        };
        let object = self
            .0
            .head_object(with_input(request, object))
            .await?
            .output;
        if let Some(condition) = request.headers.get(IF_RANGE)
            && !is_unchanged(&object, condition)
        {
            return Ok(None);
        }
        let length = object.content_length.unwrap_or_default().unsigned_abs();
        match range::resolved(range, length) {
            Some(range) => Ok(Some(range)),
            None => Err(not_satisfiable(length)),
        }
    }
}

/// Whether an object is the one that an `If-Range` names: by its strong `ETag`, or by its exact date.
fn is_unchanged(object: &HeadObjectOutput, condition: &HeaderValue) -> bool {
    if let Ok(named) = ETag::parse_http_header(condition.as_bytes()) {
        return object
            .e_tag
            .as_ref()
            .is_some_and(|own| own.strong_cmp(&named));
    }
    let date = condition.to_str().ok();
    let date = date.and_then(|date| Timestamp::parse(TimestampFormat::HttpDate, date).ok());
    let seconds = |instant: &Timestamp| {
        let mut text = Vec::new();
        let written = instant.format(TimestampFormat::HttpDate, &mut text);
        written.ok().map(|()| text)
    };
    let changed = object.last_modified.as_ref().and_then(seconds);
    changed.is_some() && changed == date.as_ref().and_then(seconds)
}

fn not_satisfiable(length: u64) -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::InvalidRange,
        "The requested range is not satisfiable",
    );
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
        error.set_headers(HeaderMap::from_iter([(CONTENT_RANGE, value)]));
    }
    error
}

/// A request of the same caller for something else.
fn with_input<T, U>(request: &S3Request<T>, input: U) -> S3Request<U> {
    S3Request {
        input,
        method: request.method.clone(),
        uri: request.uri.clone(),
        headers: HeaderMap::new(),
        extensions: http::Extensions::new(),
        credentials: request.credentials.clone(),
        region: request.region.clone(),
        service: request.service.clone(),
        trailing_headers: None,
    }
}

/// Logs an answer that says that the store failed.
fn told<T>(operation: &str, answer: S3Result<T>) -> S3Result<T> {
    if let Err(error) = &answer
        && error
            .status_code()
            .is_none_or(|status| status.is_server_error())
    {
        tracing::error!(operation, cause = %error, "the embedded store failed");
    }
    answer
}

/// Passes operations on to the library as they are.
macro_rules! objects {
    ($($operation:ident($input:ty) -> $output:ty;)+) => {
        #[async_trait::async_trait]
        impl S3 for Objects {
            async fn get_object(
                &self,
                mut request: S3Request<GetObjectInput>,
            ) -> S3Result<S3Response<GetObjectOutput>> {
                let range = self.range_of(&request).await;
                request.input.range = told("get_object", range)?;
                told("get_object", self.0.get_object(request).await)
            }

            $(async fn $operation(
                &self,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                told(stringify!($operation), self.0.$operation(request).await)
            })+
        }
    };
}

objects! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    list_parts(ListPartsInput) -> ListPartsOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
}
