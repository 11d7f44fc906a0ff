import Foundation
import Secret
import Testing

@testable import Vault

@Suite struct LocalMasterKeyTests {
    @Test func itIsMadeOnceAndForItsOwnerOnly() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/keys/master.key"
            #expect(try LocalMasterKey.create(at: path))
            let bytes = try Data(contentsOf: URL(filePath: path))
            #expect(bytes.count == 32)
            #expect(try mode(of: path) == 0o600)
            #expect(try mode(of: directory + "/keys") == 0o700)
            #expect(try LocalMasterKey.create(at: path) == false)
            #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
            #expect(try LocalMasterKey.open(at: path).keyID == LocalMasterKey.open(at: path).keyID)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o660]) func aFileThatOthersMayReadIsRefusedWithTheRemedy(mode: Int) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/keys/master.key"
            _ = try LocalMasterKey.create(at: path)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            let error = try #require(throws: VaultError.self) { try LocalMasterKey.open(at: path) }
            #expect(error.code == .permissions)
            #expect(error.message.contains("chmod 600 \(path)"))
        }
    }

    @Test func aDirectoryThatOthersMayEnterIsRefusedWithTheRemedy() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/keys/master.key"
            _ = try LocalMasterKey.create(at: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory + "/keys")
            let error = try #require(throws: VaultError.self) { try LocalMasterKey.open(at: path) }
            #expect(error.code == .permissions)
            #expect(error.message.contains("chmod 700 \(directory)/keys"))
        }
    }

    @Test func aMissingOrShortenedKeyIsSaidSo() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/keys/master.key"
            #expect(
                try #require(throws: VaultError.self) { try LocalMasterKey.open(at: path) }.code == .masterKeyMissing)
            _ = try LocalMasterKey.create(at: path)
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.truncate(atOffset: 31)
            try file.close()
            let error = try #require(throws: VaultError.self) { try LocalMasterKey.open(at: path) }
            #expect(error.code == .tampered)
        }
    }

    @Test func whatItWrapsOpensInTheSameContextOnly() throws {
        let master = LocalMasterKey(Secret([UInt8](repeating: 3, count: 32)))
        let dataKey = Secret([UInt8](repeating: 9, count: 32))
        let contexts = [1, 2].map { version in
            KeyContext(
                SecretEntry(
                    id: "a", purpose: "p", version: version, created: 1, wrapping: KeyName(kind: "local", id: "k")))
        }
        let wrapped = try master.wrap(dataKey, context: contexts[0])
        #expect(try master.unwrap(wrapped, keyID: master.keyID, context: contexts[0]) == dataKey)
        #expect(throws: VaultError.self) { try master.unwrap(wrapped, keyID: master.keyID, context: contexts[1]) }
        #expect(throws: VaultError.self) { try master.unwrap([], keyID: master.keyID, context: contexts[0]) }
        #expect(try master.wrap(dataKey, context: contexts[0]) != wrapped)
    }
}
