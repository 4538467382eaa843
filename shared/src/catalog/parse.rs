//! stub
/// x
pub struct CatalogFault;
/// x
pub struct CatalogFaults;
