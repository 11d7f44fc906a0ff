import Foundation
import Secret
import Synchronization
import Testing

@testable import Vault

@Suite struct KeyRotationTests {
    /// A key service in memory, whose failures the test chooses.
    private struct Service: KeyWrapping {
        let name: KeyName
        let master = LocalMasterKey(Secret([UInt8](repeating: 7, count: 32)))

        func wrap(_ dataKey: Secret, context: KeyContext) async throws(VaultError) -> [UInt8] {
            try master.wrap(dataKey, context: context)
        }

        func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) async throws(VaultError) -> Secret {
            guard keyID == name.id else { throw VaultError(.masterKeyDiffers, "another key") }
            return try master.unwrap(wrapped, keyID: master.keyID, context: context)
        }
    }

    private struct Vault {
        let local: LocalKeys
        let store: SecretStore
        let keys: VaultKeys
        var rotation: KeyRotation { KeyRotation(store, local: local) }

        init(in directory: String) throws {
            _ = try LocalMasterKey.create(at: directory + "/keys/master.key")
            local = LocalKeys(path: directory + "/keys/master.key")
            keys = VaultKeys(vault: directory + "/vault", local: local) {
                Service(name: KeyName(kind: $0.kind, id: $0.keyID))
            }
            store = SecretStore(directory: directory + "/vault", keys: keys)
        }

        func fill() async throws {
            for id in 0..<5 { _ = try await store.put(KeyRotationTests.value, id: "s\(id)", purpose: "p", at: 1) }
            _ = try await store.put(KeyRotationTests.value, id: "person-1", purpose: SecretPurpose.person, at: 1)
        }

        func setService(wanted: Bool) async throws {
            let settings = KeyServiceSettings(
                kind: "service", keyID: "remote", access: Secret(Array("{}".utf8)), isWanted: wanted)
            _ = try await store.put(
                settings.secret, id: KeyServiceSettings.secretID, purpose: SecretPurpose.keyService, at: 1)
        }

        func expectEverythingOpens() async throws {
            for id in try store.ids() where id != KeyServiceSettings.secretID && id != "x" && !id.hasPrefix("own") {
                let purpose = id.hasPrefix("person") ? SecretPurpose.person : "p"
                #expect(try await store.secret(id, for: purpose) == KeyRotationTests.value)
            }
        }
    }

    static let value = Secret(Array("sk-CANARY".utf8))

    @Test func everySecretMovesToANewKeyAndTheOldOneIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let vault = try Vault(in: directory)
            try await vault.fill()
            let old = try vault.local.current().keyID
            let before = try vault.store.entries()
            let new = try vault.rotation.beginLocal()
            #expect(new != old && vault.local.isChanging)
            #expect(try vault.rotation.beginLocal() == new, "a change that was begun goes on")
            #expect(try vault.rotation.endLocal() == false)
            // What comes in between lies under the new key at once.
            _ = try await vault.store.put(Self.value, id: "new", purpose: "p", at: 2)
            #expect(try vault.store.entry("new").wrapping.id == new)
            try await vault.expectEverythingOpens()
            var moved: [String] = []
            try await vault.rotation.rewrapAll { entry, hasChanged in if hasChanged { moved.append(entry.id) } }
            #expect(moved == before.map(\.id))
            #expect(try vault.rotation.endLocal())
            #expect(!vault.local.isChanging)
            #expect(try LocalMasterKey.open(at: vault.local.path).keyID == new)
            #expect(try vault.store.entries().allSatisfy { $0.wrapping == KeyName(kind: "local", id: new) })
            #expect(try vault.store.entries().filter { $0.id != "new" }.map(\.version) == before.map(\.version))
            try await vault.expectEverythingOpens()
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/keys") == ["master.key"])
        }
    }

    @Test func secretsMoveToAKeyServiceAndBackAndWhatOpensItStays() async throws {
        try await withTemporaryDirectory { directory in
            let vault = try Vault(in: directory)
            try await vault.fill()
            try await vault.setService(wanted: false)
            #expect(try vault.store.entry("s0").wrapping.kind == "local")
            try await vault.setService(wanted: true)
            try await vault.rotation.rewrapAll { _, _ in }
            for entry in try vault.store.entries() {
                let staysLocal = entry.id == "person-1" || entry.id == KeyServiceSettings.secretID
                #expect(entry.wrapping.kind == (staysLocal ? "local" : "service"), "\(entry.id)")
            }
            _ = try await vault.store.put(Self.value, id: "new", purpose: "p", at: 2)
            #expect(try vault.store.entry("new").wrapping == KeyName(kind: "service", id: "remote"))
            try await vault.expectEverythingOpens()
            // The local key may change while others lie elsewhere.
            _ = try vault.rotation.beginLocal()
            try await vault.rotation.rewrapAll { _, _ in }
            #expect(try vault.rotation.endLocal())
            try await vault.expectEverythingOpens()
            try await vault.setService(wanted: false)
            try await vault.rotation.rewrapAll { _, _ in }
            #expect(try vault.store.entries().allSatisfy { $0.wrapping.kind == "local" })
            try await vault.expectEverythingOpens()
        }
    }

    @Test func aServiceThatIsNotSetUpIsNamed() async throws {
        try await withTemporaryDirectory { directory in
            let vault = try Vault(in: directory)
            try await vault.setService(wanted: true)
            _ = try await vault.store.put(Self.value, id: "a", purpose: "p", at: 2)
            _ = try vault.store.remove(KeyServiceSettings.secretID)
            let error = await #expect(throws: VaultError.self) { try await vault.store.secret("a", for: "p") }
            #expect(error?.code == .masterKeyDiffers && error?.message.contains("finops vault kms set") == true)
        }
    }

    /// Nobody can say what a damaged file lies under: the old key stays until that is mended.
    @Test func aDamagedSecretKeepsTheOldKey() async throws {
        try await withTemporaryDirectory { directory in
            let vault = try Vault(in: directory)
            try await vault.fill()
            _ = try vault.rotation.beginLocal()
            try Data("{}".utf8).write(to: URL(filePath: directory + "/vault/s3.secret.json"))
            await #expect(throws: VaultError.self) { try await vault.rotation.rewrapAll { _, _ in } }
            #expect(throws: VaultError.self) { try vault.rotation.endLocal() }
            #expect(vault.local.isChanging)
            _ = try vault.store.remove("s3")
            try await vault.rotation.rewrapAll { _, _ in }
            #expect(try vault.rotation.endLocal())
            try await vault.expectEverythingOpens()
        }
    }

    private final class End: Sendable {
        let isReached = Atomic(false)
    }

    @Test func readersAndWritersNoticeNothingOfTwentyChangesOfTheKey() async throws {
        try await withTemporaryDirectory { directory in
            let vault = try Vault(in: directory)
            try await vault.fill()
            let end = End()
            try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<3 {
                    group.addTask {
                        // A store of its own, as another program has it.
                        let mine = try Vault(in: directory)
                        var turns = 0
                        while turns < 20 || !end.isReached.load(ordering: .relaxed) {
                            try await mine.expectEverythingOpens()
                            let next = Secret(Array("\(worker) \(turns)".utf8))
                            _ = try await mine.store.put(next, id: "x", purpose: "other", at: 1)
                            _ = try await mine.store.put(Self.value, id: "own\(worker)", purpose: "p", at: Int64(turns))
                            if turns.isMultiple(of: 3) { _ = try mine.store.remove("own\(worker)") }
                            turns += 1
                        }
                        return turns
                    }
                }
                for _ in 0..<20 {
                    _ = try vault.rotation.beginLocal()
                    repeat { try await vault.rotation.rewrapAll { _, _ in } } while try !vault.rotation.endLocal()
                }
                end.isReached.store(true, ordering: .relaxed)
                var turns = 0
                for try await count in group { turns += count }
                // No new value was lost to somebody who only wrapped the old one anew.
                #expect(try vault.store.entry("x").version == turns)
            }
            let present = try vault.local.current().name
            #expect(try vault.store.entries().allSatisfy { $0.wrapping == present })
        }
    }
}
