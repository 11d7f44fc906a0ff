import Foundation
import Secret
import Testing
import Vault

@Suite struct SecretStoreTests {
    let key = Secret(Array("sk-admin-CANARYcanary0123456789wxyz".utf8))
    let other = Secret(Array("sk-admin-OTHERother0123456789abcd".utf8))

    private func store(in directory: String, master: UInt8 = 1) -> SecretStore {
        SecretStore(
            directory: directory + "/vault", wrapping: LocalMasterKey(Secret([UInt8](repeating: master, count: 32))))
    }

    private func file(_ id: String, in directory: String) -> URL {
        URL(filePath: "\(directory)/vault/\(id).secret.json")
    }

    @Test func whatIsPutIsFoundAgain() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            #expect(try await store.put(key, id: "openai-acme", purpose: "provider", at: 1) == .stored(version: 1))
            #expect(try await store.secret("openai-acme", for: "provider") == key)
            let entry = try #require(try store.entries().first)
            #expect(
                entry.id == "openai-acme" && entry.purpose == "provider" && entry.version == 1 && entry.created == 1)
        }
    }

    @Test func theSameAgainChangesNothingAndADifferentOneIsTheNextVersion() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "p", at: 1)
            let before = try Data(contentsOf: file("a", in: directory))
            #expect(try await store.put(key, id: "a", purpose: "p", at: 2) == .unchanged(version: 1))
            #expect(try Data(contentsOf: file("a", in: directory)) == before)
            #expect(try await store.put(other, id: "a", purpose: "p", at: 3) == .stored(version: 2))
            #expect(try await store.secret("a", for: "p") == other)
        }
    }

    @Test func theSecretIsNotInTheFileAndOnlyItsOwnerMayReadIt() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await store(in: directory).put(key, id: "a", purpose: "p", at: 1)
            let text = try String(contentsOf: file("a", in: directory), encoding: .utf8)
            #expect(!text.contains("CANARY"))
            for field in ["encrypted_key", "encrypted_data_key", "iv"] { #expect(text.contains("\"\(field)\"")) }
            #expect(!text.contains(Data("sk-admin-CANARY".utf8).base64EncodedString().dropLast(4)))
            #expect(try mode(of: file("a", in: directory).path) == 0o600)
            #expect(try mode(of: directory + "/vault") == 0o700)
        }
    }

    @Test func everyChangedByteIsNoticedAndTheSecretNamed() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "p", at: 1)
            let genuine = [UInt8](try Data(contentsOf: file("a", in: directory)))
            for place in genuine.indices {
                for change: UInt8 in [0x01, 0x20] {
                    var changed = genuine
                    changed[place] ^= change
                    try Data(changed).write(to: file("a", in: directory))
                    let error = await #expect(throws: VaultError.self) { try await store.secret("a", for: "p") }
                    #expect(error?.message.contains("\"a\"") == true, "byte \(place)")
                }
            }
            for shorter in [0, 1, genuine.count / 2, genuine.count - 1] {
                try Data(genuine[..<shorter]).write(to: file("a", in: directory))
                await #expect(throws: VaultError.self) { try await store.secret("a", for: "p") }
            }
            try Data(genuine).write(to: file("a", in: directory))
            #expect(try await store.secret("a", for: "p") == key)
        }
    }

    @Test func twoFilesThatChangedPlacesAreNoticed() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "p", at: 1)
            _ = try await store.put(other, id: "b", purpose: "p", at: 1)
            let first = try Data(contentsOf: file("a", in: directory))
            try Data(contentsOf: file("b", in: directory)).write(to: file("a", in: directory))
            try first.write(to: file("b", in: directory))
            for id in ["a", "b"] {
                let error = await #expect(throws: VaultError.self) { try await store.secret(id, for: "p") }
                #expect(error?.code == .tampered)
            }
            // Nor does writing the other's name into the file help: the name is authenticated.
            let forged = String(decoding: first, as: UTF8.self).replacing("\"a\"", with: "\"b\"")
            try Data(forged.utf8).write(to: file("b", in: directory))
            let error = await #expect(throws: VaultError.self) { try await store.secret("b", for: "p") }
            #expect(error?.code == .tampered)
        }
    }

    @Test func aSecretServesItsPurposeOnly() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "provider", at: 1)
            let read = await #expect(throws: VaultError.self) { try await store.secret("a", for: "mail") }
            #expect(read?.code == .wrongPurpose)
            let put = await #expect(throws: VaultError.self) {
                try await store.put(other, id: "a", purpose: "mail", at: 2)
            }
            #expect(put?.code == .wrongPurpose)
        }
    }

    @Test func anotherMasterKeyIsNamedAsSuch() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await store(in: directory).put(key, id: "a", purpose: "p", at: 1)
            let error = await #expect(throws: VaultError.self) {
                try await store(in: directory, master: 2).secret("a", for: "p")
            }
            #expect(error?.code == .masterKeyDiffers)
        }
    }

    @Test func aWriterKilledBeforeItsRenameLeavesTheOldSecret() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "p", at: 1)
            let replacement = try PrivateFile.prepare([1, 2, 3], for: file("a", in: directory).path)
            #expect(try await store.secret("a", for: "p") == key)
            #expect(try store.entries().map(\.id) == ["a"])
            try replacement.commit()
            #expect(try Data(contentsOf: file("a", in: directory)) == Data([1, 2, 3]))
        }
    }

    @Test func removingIsDoneOnce() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: "a", purpose: "p", at: 1)
            #expect(try store.remove("a"))
            #expect(try store.remove("a") == false)
            let error = await #expect(throws: VaultError.self) { try await store.secret("a", for: "p") }
            #expect(error?.code == .notFound)
            #expect(try store.entries().isEmpty)
        }
    }

    @Test(arguments: ["../keys/master", ".hidden", "Big", "a/b", "a b", "홍길동", "100%", "%41", "A"])
    func anyNameIsAnId(id: String) async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            _ = try await store.put(key, id: id, purpose: "p", at: 1)
            #expect(try await store.secret(id, for: "p") == key)
            #expect(try store.entries().map(\.id) == [id])
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["vault"])
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory + "/vault")
                    .filter { $0 != ".lock" }.count == 1)
        }
    }

    @Test(arguments: ["", "a\nb", "\u{7F}", String(repeating: "x", count: 65)])
    func anIdThatIsNoNameIsRefused(id: String) async throws {
        try await withTemporaryDirectory { directory in
            let error = await #expect(throws: VaultError.self) {
                try await store(in: directory).put(key, id: id, purpose: "p", at: 1)
            }
            #expect(error?.code == .malformedName)
        }
    }

    @Test func aKeyServiceThatDoesNotAnswerIsAPassingFailure() async throws {
        struct Silent: KeyWrapping {
            let name = KeyName(kind: "silent", id: "k")
            func wrap(_ dataKey: Secret, context: KeyContext) async throws(VaultError) -> [UInt8] {
                throw VaultError(.unavailable, "no answer", isRetriable: true)
            }
            func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) async throws(VaultError) -> Secret {
                throw VaultError(.unavailable, "no answer", isRetriable: true)
            }
        }
        try await withTemporaryDirectory { (directory: String) async throws -> Void in
            let store = SecretStore(directory: directory + "/vault", wrapping: Silent())
            let error = await #expect(throws: VaultError.self) {
                try await store.put(key, id: "a", purpose: "p", at: 1)
            }
            #expect(error?.isRetriable == true)
            #expect(try store.entries().isEmpty)
        }
    }

    @Test func aKeyServiceWhoseKeyDoesNotOpenAgainChangesNothing() async throws {
        struct Lying: KeyWrapping {
            let master = LocalMasterKey(Secret([UInt8](repeating: 7, count: 32)))
            var name: KeyName { master.name }
            func newDataKey(context: KeyContext) async throws(VaultError) -> (plain: Secret, wrapped: [UInt8]) {
                let other = Secret([UInt8](repeating: 1, count: 32))
                return (Secret([UInt8](repeating: 2, count: 32)), try master.wrap(other, context: context))
            }
            func wrap(_ dataKey: Secret, context: KeyContext) async throws(VaultError) -> [UInt8] {
                try master.wrap(dataKey, context: context)
            }
            func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) async throws(VaultError) -> Secret {
                try master.unwrap(wrapped, keyID: keyID, context: context)
            }
        }
        try await withTemporaryDirectory { (directory: String) async throws -> Void in
            let honest = SecretStore(directory: directory + "/vault", wrapping: Lying().master)
            _ = try await honest.put(key, id: "a", purpose: "p", at: 1)
            let store = SecretStore(directory: directory + "/vault", wrapping: Lying())
            let error = await #expect(throws: VaultError.self) {
                try await store.put(Secret(Array("another".utf8)), id: "a", purpose: "p", at: 2)
            }
            #expect(error?.message.contains("opens as another one: nothing was changed") == true)
            #expect(try await honest.secret("a", for: "p") == key)
        }
    }

    @Test func aPersonIsAnOpaqueIdWithAnEncryptedName() async throws {
        try await withTemporaryDirectory { directory in
            let store = store(in: directory)
            let person = try await Person.acting(user: 1000, name: "홍길동", in: store, at: 1)
            #expect(person.id.count == 32 && person.name == "홍길동")
            #expect(try await Person.acting(user: 1000, name: "ignored", in: store, at: 2) == person)
            #expect(try await Person.acting(user: 1001, name: "other", in: store, at: 3).id != person.id)
            #expect(try await Person.find(id: person.id, in: store) == person)
            #expect(try await Person.all(in: store).count == 2)
            #expect(try store.remove("person-" + person.id))
            #expect(try await Person.find(id: person.id, in: store) == nil)
        }
    }
}

func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
}
