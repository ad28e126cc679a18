//! What a run carries from one process to the next, besides the accounts.
use super::sources::Sources;
use crate::alert::dedup::DeskState;
use crate::baseline::principals::PrincipalDirectory;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::fleet::model::FleetModel;
use crate::router::digests::Digests;
use crate::router::watermark::Watermark;
use crate::tenant::model::TenantModel;

/// Everything that is not an account.
#[derive(Clone, Debug)]
pub struct RunState {
    /// The tenant model.
    pub tenant: TenantModel,
    /// Last sequence number the tenant gave out.
    pub tenant_sequence: u64,
    /// The population.
    pub fleet: FleetModel,
    /// The desk.
    pub desk: DeskState,
    /// Published priors.
    pub priors: ByDay<Priors>,
    /// Published directories.
    pub directory: ByDay<PrincipalDirectory>,
    /// The stream's watermark.
    pub watermark: Watermark,
    /// Last tick held, and the day it lay in.
    pub last_tick: Option<(i64, i64)>,
    /// The files, and how far each is applied.
    pub sources: Sources,
    /// Fingerprints of recent records.
    pub digests: Digests,
}
