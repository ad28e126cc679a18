//! What normal looks like. One file a facet; each owns its decay, maturity and memory.
//!
//! A facet has two halves: what it needs of an open [`cell::Cell`] (order-free integers and
//! sorted sets) and the learned baseline that closed cells are applied to in time order. Reading
//! a baseline (assessing) and teaching it (learning) are separate calls: detectors read in
//! between and never write.
pub mod cell;
pub mod egress;
pub mod listed;
pub mod location;
pub mod maturity;
pub mod principals;
pub mod prior;
pub mod published;
pub mod query_shapes;
pub mod tempo;
