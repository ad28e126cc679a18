//! What holds of texts, trees and places.
use super::*;
