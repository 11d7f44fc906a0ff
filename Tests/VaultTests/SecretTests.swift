import Foundation
import Secret
import Testing

@Suite struct SecretTests {
    let planted = "sk-admin-CANARYcanary0123456789wxyz"
    var secret: Secret { Secret(Array(planted.utf8)) }

    @Test func itsTextIsReadInsideAClosureOnly() {
        #expect(secret.withUTF8 { String(decoding: $0, as: UTF8.self) } == planted)
        #expect(secret.count == planted.utf8.count)
    }

    @Test func itIsNotPrintedInAnyWay() {
        struct Holder { let key: Secret }
        var dumped = ""
        dump(Holder(key: secret), to: &dumped)
        let texts = [
            "\(secret)", "\(Holder(key: secret))", String(describing: secret), String(reflecting: secret),
            String(reflecting: Holder(key: secret)), "\([secret])", "\(Optional(secret) as Any)", dumped,
        ]
        for text in texts { #expect(!text.contains("CANARY"), "\(text)") }
        #expect(Mirror(reflecting: secret).children.isEmpty)
    }

    @Test(arguments: [
        ("sk-admin-CANARYcanary0123456789wxyz", "sk-admin-…wxyz"), ("sk-proj-abcdefghijklmnop", "sk-proj-…mnop"),
        ("AKIAIOSFODNN7EXAMPLE", "…MPLE"), ("sk-admin-short", "…"), ("hunter2", "…"), ("", "…"),
        ("ab-cd-ef-gh-0123456789abcdef", "ab-cd-ef-…cdef"), ("0123456789abcde\u{E9}", "…"),
    ])
    func itsMaskShowsThePublicPrefixAndFourCharactersAtMost(text: String, mask: String) {
        #expect(Secret(Array(text.utf8)).mask == mask)
    }

    @Test func secretsAreEqualByContent() {
        #expect(secret == Secret(Array(planted.utf8)))
        #expect(secret != Secret(Array(planted.dropLast().utf8)))
        #expect(secret != Secret(Array(planted.replacing("CANARY", with: "canary").utf8)))
    }

    @Test(arguments: ["\n", "\r\n", ""]) func aFileMayEndWithANewline(end: String) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/key"
            try Data((planted + end).utf8).write(to: URL(filePath: path))
            #expect(try Secret.read(from: path) == secret)
        }
    }

    @Test(arguments: [
        ("", SecretReadingError.Code.empty), ("\n", .empty), ("one\ntwo", .controlCharacter),
        ("a\u{0}b", .controlCharacter),
        ("tab\there", .controlCharacter),
    ])
    func whatIsNoKeyIsRefusedWithoutRepeatingIt(content: String, code: SecretReadingError.Code) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/key"
            try Data(content.utf8).write(to: URL(filePath: path))
            let error = try #require(throws: SecretReadingError.self) { try Secret.read(from: path) }
            #expect(error.code == code)
            #expect(content.count < 3 || !error.message.contains(content))
        }
    }

    @Test func aFileThatIsTooLongToBeAKeyIsRefused() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/key"
            try Data(repeating: 0x78, count: Secret.bytesLimit + 1).write(to: URL(filePath: path))
            #expect(try #require(throws: SecretReadingError.self) { try Secret.read(from: path) }.code == .tooLong)
        }
    }

    @Test func aFileThatIsNotUTF8IsRefused() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/key"
            try Data([0x73, 0x6B, 0xFF, 0x41]).write(to: URL(filePath: path))
            let error = try #require(throws: SecretReadingError.self) { try Secret.read(from: path) }
            #expect(error.code == .notUTF8)
        }
    }

    @Test func aMissingFileIsNamed() throws {
        let error = try #require(throws: SecretReadingError.self) { try Secret.read(from: "/nowhere/key") }
        #expect(error.code == .unreadable)
        #expect(error.message.contains("/nowhere/key"))
    }
}

/// A directory of this test's own, removed afterwards.
func withTemporaryDirectory<R>(_ body: (String) throws -> R) throws -> R {
    let directory = try makeTemporaryDirectory()
    defer { removeTemporaryDirectory(directory) }
    return try body(directory)
}

func withTemporaryDirectory<R>(_ body: (String) async throws -> R) async throws -> R {
    let directory = try makeTemporaryDirectory()
    defer { removeTemporaryDirectory(directory) }
    return try await body(directory)
}

private func makeTemporaryDirectory() throws -> String {
    let directory = FileManager.default.temporaryDirectory.appending(path: "vault-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    return directory
}

private func removeTemporaryDirectory(_ directory: String) {
    do { try FileManager.default.removeItem(atPath: directory) } catch { Issue.record("\(error)") }
}
