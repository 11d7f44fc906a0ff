import Glibc

/// Why a secret could not be read. Its message never contains any of the secret.
package struct SecretReadingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    package enum Code: String, Sendable { case unreadable, empty, tooLong, controlCharacter, notUTF8 }

    package let code: Code
    package let message: String
    /// The file has to change first.
    package let isRetriable = false

    package var description: String { message }
}

extension Secret {
    /// No key or token that we know is longer.
    package static let bytesLimit = 64 << 10

    /// Reads a secret from a file, or from standard input for `-`. One newline at the end is not part of it.
    /// - Parameter hasLines: for a file of credentials, in which lines and tabs are allowed.
    /// - Throws: `SecretReadingError` if it cannot be read, is empty, too long, not UTF-8, or holds a control character.
    package static func read(from path: String, hasLines: Bool = false) throws(SecretReadingError) -> Secret {
        let name = path == "-" ? "standard input" : path
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SecretReadingError(
                code: .unreadable, message: "cannot read the secret from \(name): \(String(cString: strerror(errno)))")
        }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes = try readAll(descriptor, name: name)
        defer { bytes.cleanse() }
        return try checked(&bytes, name: name, hasLines: hasLines)
    }

    private static func readAll(_ descriptor: Int32, name: String) throws(SecretReadingError) -> [UInt8] {
        // One buffer of the greatest size: growing would leave pieces of the secret in freed memory.
        var bytes = [UInt8](repeating: 0, count: bytesLimit + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if got == 0 { break }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else {
                throw SecretReadingError(
                    code: .unreadable,
                    message: "cannot read the secret from \(name): \(String(cString: strerror(errno)))")
            }
            count += got
        }
        guard count <= bytesLimit else {
            throw SecretReadingError(
                code: .tooLong,
                message: "the secret in \(name) is longer than \(bytesLimit) bytes; is this the right file?")
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private static func checked(
        _ bytes: inout [UInt8], name: String, hasLines: Bool
    ) throws(SecretReadingError) -> Secret {
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else {
            throw SecretReadingError(
                code: .empty, message: "\(name) holds no secret; write the key into it, nothing else")
        }
        let allowed: [UInt8] = hasLines ? Array("\n\r\t".utf8) : []
        if let place = bytes.firstIndex(where: { ($0 < 0x20 || $0 == 0x7F) && !allowed.contains($0) }) {
            throw SecretReadingError(
                code: .controlCharacter,
                message:
                    "the secret in \(name) has a control character at byte \(place + 1); write it as one line of text")
        }
        // Decoded without a copy of the text that nobody would overwrite.
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        decoding: while true {
            switch decoder.decode(&iterator) {
            case .scalarValue: continue
            case .emptyInput: break decoding
            case .error:
                throw SecretReadingError(code: .notUTF8, message: "the secret in \(name) is not UTF-8 text")
            }
        }
        return bytes.withUnsafeBufferPointer { Secret(copying: $0) }
    }
}
