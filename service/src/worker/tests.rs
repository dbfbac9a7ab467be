//! What an ending means for the queue.

use super::*;

#[test]
fn only_what_was_called_off_by_a_stop_goes_back() {
    assert_eq!(
        ending(Outcome::Cancelled, true),
        Ending::PutBack(PutBack::Stop)
    );
    assert_eq!(
        ending(Outcome::Cancelled, false),
        Ending::Conclude(Outcome::Cancelled)
    );
    assert_eq!(
        ending(Outcome::Superseded, true),
        Ending::Conclude(Outcome::Superseded)
    );
}
