import COpenSSL
import JSON

/// One secret as it lies on disk: encrypted under a key of its own, which is encrypted under a master key.
struct Envelope: Hashable, Sendable {
    var entry: SecretEntry
    var sealed: AESGCM.Sealed
    var encryptedDataKey: [UInt8]

    var json: JSONValue {
        [
            "format": 1,
            "id": .string(entry.id),
            "purpose": .string(entry.purpose),
            "version": .integer(entry.version),
            "created": .integer(entry.created),
            "wrapping": ["kind": .string(entry.wrapping.kind), "key_id": .string(entry.wrapping.id)],
            "encrypted_data_key": .string(Base64.text(encryptedDataKey)),
            "iv": .string(Base64.text(sealed.nonce)),
            "encrypted_key": .string(Base64.text(sealed.ciphertext)),
            "tag": .string(Base64.text(sealed.tag)),
        ]
    }

    var bytes: [UInt8] { Array((json.prettyText + "\n").utf8) }

    /// - Returns: nil unless the bytes are exactly what `bytes` gives for an envelope: a changed blank counts as well.
    init?(_ bytes: [UInt8]) {
        // `try?`: why it is no JSON does not matter to the caller; it was damaged.
        guard let json = try? JSONValue.parse(bytes),
            let id = json["id"]?.string, let purpose = json["purpose"]?.string,
            let version = json["version"]?.integer, let created = json["created"]?.integer,
            let kind = json["wrapping"]?["kind"]?.string, let keyID = json["wrapping"]?["key_id"]?.string,
            let dataKey = json["encrypted_data_key"]?.string.flatMap(Base64.bytes),
            let nonce = json["iv"]?.string.flatMap(Base64.bytes),
            let ciphertext = json["encrypted_key"]?.string.flatMap(Base64.bytes),
            let tag = json["tag"]?.string.flatMap(Base64.bytes), version > 0
        else { return nil }
        let entry = SecretEntry(
            id: id, purpose: purpose, version: Int(version), created: created,
            wrapping: KeyName(kind: kind, id: keyID))
        self.init(
            entry: entry, sealed: .init(nonce: nonce, ciphertext: ciphertext, tag: tag), encryptedDataKey: dataKey)
        guard self.bytes == bytes else { return nil }
    }

    init(entry: SecretEntry, sealed: AESGCM.Sealed, encryptedDataKey: [UInt8]) {
        self.entry = entry
        self.sealed = sealed
        self.encryptedDataKey = encryptedDataKey
    }
}

/// Standard base64 (RFC 4648, 4) by OpenSSL.
package enum Base64 {
    package static func text(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let length = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text[..<Int(length)], as: UTF8.self)
    }

    /// - Returns: nil for anything that `text` would not write.
    package static func bytes(_ text: String) -> [UInt8]? {
        let source = Array(text.utf8)
        guard source.count.isMultiple(of: 4), source.count <= 1 << 20 else { return nil }
        var bytes = [UInt8](repeating: 0, count: source.count / 4 * 3)
        let length = EVP_DecodeBlock(&bytes, source, Int32(source.count))
        guard length >= 0 else { return nil }
        let padding = source.suffix(2).count { $0 == UInt8(ascii: "=") }
        let decoded = Array(bytes[..<max(0, Int(length) - padding)])
        return Base64.text(decoded) == text ? decoded : nil
    }
}
