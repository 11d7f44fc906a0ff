import Glibc

/// A credential in memory: it cannot be printed by accident, and its bytes are overwritten when the last copy goes.
package struct Secret: Sendable {
    private let storage: Storage

    /// Takes the bytes over; the array's own memory is overwritten where nobody else holds it.
    package init(_ bytes: consuming [UInt8]) {
        storage = bytes.withUnsafeBufferPointer { Storage($0) }
        bytes.cleanse()
    }

    /// Copies the bytes; overwriting the original is the caller's.
    package init(copying bytes: UnsafeBufferPointer<UInt8>) { storage = Storage(bytes) }

    /// Bytes.
    package var count: Int { storage.bytes.count }

    /// The plain bytes, valid inside `body` only.
    package func withUTF8<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        defer { withExtendedLifetime(storage) {} }
        return try body(UnsafeBufferPointer(storage.bytes))
    }

    /// What people may see of it, such as `sk-admin-…wxyz`: words of the public prefix and the last four characters.
    /// A secret with fewer than 16 characters behind its prefix shows nothing.
    package var mask: String {
        withUTF8 { bytes in
            let prefix = Self.publicPrefix(of: bytes)
            let tail = bytes.suffix(4)
            guard bytes.count - prefix >= 16, tail.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return "…" }
            return String(decoding: bytes[..<prefix], as: UTF8.self) + "…" + String(decoding: tail, as: UTF8.self)
        }
    }

    /// The length of at most three leading words of two to eight lower-case letters, each followed by a hyphen: they
    /// name the kind of a key and are the same for everybody.
    private static func publicPrefix(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var end = 0
        for _ in 0..<3 {
            let word = bytes[end...].prefix { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") }
            guard (2...8).contains(word.count), word.endIndex < bytes.count, bytes[word.endIndex] == UInt8(ascii: "-")
            else { break }
            end = word.endIndex + 1
        }
        return end
    }
}

extension Secret: Equatable {
    /// Takes the same time wherever the two differ.
    package static func == (left: Secret, right: Secret) -> Bool {
        left.withUTF8 { left in
            right.withUTF8 { right in
                left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
            }
        }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "‹secret›" }
    package var debugDescription: String { "‹secret›" }
    /// Empty, so that `dump` and reflection find nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

extension Secret {
    /// Memory outside Swift's arrays, so that no copy-on-write leaves a second one behind.
    private final class Storage: Sendable {
        // A pointer to memory that only this object owns.
        // Safe: it is written once, in init, before anybody else can see it, and overwritten in deinit, after everybody could.
        // Needed: pointers are not Sendable, and an array would leave its bytes in freed memory.
        nonisolated(unsafe) let bytes: UnsafeMutableBufferPointer<UInt8>

        init(_ source: UnsafeBufferPointer<UInt8>) {
            bytes = .allocate(capacity: source.count)
            _ = bytes.initialize(fromContentsOf: source)
        }

        deinit {
            if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
            bytes.deallocate()
        }
    }
}

extension [UInt8] {
    /// Overwrites the bytes in a way that the compiler does not optimise away.
    package mutating func cleanse() {
        withUnsafeMutableBytes { if let start = $0.baseAddress { explicit_bzero(start, $0.count) } }
    }
}
