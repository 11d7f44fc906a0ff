import EventLog
import FinOps
import TestSupport
import SwiftProtobuf
import Testing

@Suite struct SecretRegisterTests {
    private func stored(_ version: UInt32, reason: String = "") -> FinOpsEvent {
        var event = WireSecretStored()
        (event.secretID, event.purpose, event.version, event.reason) = ("smtp", "general", version, reason)
        event.wrappedBy = key("first")
        return .secretStored(event)
    }

    private func key(_ id: String) -> WireWrappingKey {
        .with {
            $0.kind = "local"
            $0.keyID = id
        }
    }

    private func rewrapped(_ id: String) -> FinOpsEvent {
        var event = WireSecretRewrapped()
        (event.secretID, event.purpose, event.version, event.wrappedBy) = ("smtp", "general", 1, key(id))
        return .secretRewrapped(event)
    }

    private func rewrap(_ id: String) -> SecretRegister.Command {
        .rewrapped(id: "smtp", purpose: "general", version: 1, wrappedBy: key(id), reason: "")
    }

    private func removed(_ reason: String = "") -> FinOpsEvent {
        var event = WireSecretRemoved()
        (event.secretID, event.reason) = ("smtp", reason)
        return .secretRemoved(event)
    }

    private func store(_ version: UInt32) -> SecretRegister.Command {
        .stored(id: "smtp", purpose: "general", version: version, wrappedBy: key("first"), reason: "")
    }

    private func remove(wasThere: Bool) -> SecretRegister.Command {
        .removed(id: "smtp", wasThere: wasThere, reason: "")
    }

    @Test func aVersionIsSaidOnce() {
        given(SecretRegister.self).when(store(1)).then(stored(1))
        given(SecretRegister.self, stored(1)).when(store(1)).thenNothing()
        given(SecretRegister.self, stored(1)).when(store(2)).then(stored(2))
    }

    /// The vault was changed, and the command killed before its event.
    @Test func whatTheLogMissedIsMadeUpFor() {
        given(SecretRegister.self, stored(1)).when(store(3)).then(stored(3))
        given(SecretRegister.self, stored(1)).when(remove(wasThere: false)).then(removed())
    }

    @Test func aRemovalIsSaidOnceAlsoOfASecretOlderThanItsEvents() {
        given(SecretRegister.self).when(remove(wasThere: false)).thenNothing()
        given(SecretRegister.self).when(remove(wasThere: true)).then(removed())
        given(SecretRegister.self, stored(1), removed()).when(remove(wasThere: false)).thenNothing()
        given(SecretRegister.self, stored(1), removed()).when(store(1)).then(stored(1))
    }

    @Test func anotherKeyIsSaidOnceAndNoneThatWasThereAlready() {
        given(SecretRegister.self, stored(1)).when(rewrap("first")).thenNothing()
        given(SecretRegister.self, stored(1)).when(rewrap("second")).then(rewrapped("second"))
        given(SecretRegister.self, stored(1), rewrapped("second")).when(rewrap("second")).thenNothing()
        given(SecretRegister.self, stored(1), rewrapped("second")).when(store(1)).thenNothing()
        given(SecretRegister.self, stored(1), rewrapped("second")).when(rewrap("third")).then(rewrapped("third"))
    }

    /// Its events are older than those that name the key.
    @Test func aSecretWhoseKeyTheLogDoesNotKnowGetsOne() {
        var old = WireSecretStored()
        (old.secretID, old.purpose, old.version) = ("smtp", "general", 1)
        given(SecretRegister.self, .secretStored(old)).when(rewrap("first")).then(rewrapped("first"))
    }

    @Test func aUseChangesNothing() {
        var used = WireSecretUsed()
        used.secretID = "smtp"
        given(SecretRegister.self, stored(1), .secretUsed(used)).when(store(1)).thenNothing()
    }
}
