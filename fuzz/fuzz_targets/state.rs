//! Arbitrary bytes as an account's checkpoint, and as the payload of one whose checksum is right: an
//! error, or a model that is sealed and opened again as the same one. Never a panic.
#![no_main]

use cosmoguard::store::envelope;
use cosmoguard::store::schema::account;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for sealed in [bytes.to_vec(), envelope::seal(bytes)] {
        if let Ok(model) = account::open(&sealed) {
            let again = account::seal(&model).expect("what was read can be written");
            let reopened = account::open(&again).expect("what was written can be read");
            assert_eq!(account::seal(&reopened).expect("and again"), again);
        }
    }
});
