import CZeroMQ

/// A CURVE public key: 32 bytes, written as 40 characters of Z85.
package struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
    /// 32 of them.
    package let bytes: [UInt8]

    /// nil unless there are 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// nil unless the text is a key in Z85.
    package init?(text: String) {
        guard let bytes = z85Bytes(text) else { return nil }
        self.bytes = bytes
    }

    /// 40 characters of Z85.
    package var text: String { z85Text(bytes) }
    package var description: String { text }
}

/// A CURVE secret key. It has no description and is encoded nowhere, so that no log can show it by accident.
package struct CurveSecretKey: Sendable, CustomStringConvertible, CustomReflectable {
    let bytes: [UInt8]

    /// nil unless the text is a key in Z85.
    package init?(text: String) {
        guard let bytes = z85Bytes(text) else { return nil }
        self.bytes = bytes
    }

    /// For the file that keeps it (0600), and nothing else.
    package func revealText() -> String { z85Text(bytes) }

    package var description: String { "(secret key)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Who one side of an encrypted connection is.
package struct CurveKeyPair: Sendable {
    package let publicKey: CurvePublicKey
    /// Belongs to `publicKey`: a pair is only ever derived or generated.
    package let secretKey: CurveSecretKey

    /// Derives the public key; nil when libzmq was built without CURVE.
    package init?(secretKey: CurveSecretKey) {
        var derived = [CChar](repeating: 0, count: 41)
        guard zmq_curve_public(&derived, secretKey.revealText()) == 0,
            let publicKey = CurvePublicKey(text: text(ofCharacters: derived))
        else { return nil }
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    /// Makes new keys.
    /// - Throws: ENOTSUP when libzmq was built without CURVE.
    package static func generate() throws(ZeroMQError) -> CurveKeyPair {
        var publicText = [CChar](repeating: 0, count: 41)
        var secretText = [CChar](repeating: 0, count: 41)
        guard zmq_curve_keypair(&publicText, &secretText) == 0,
            let secretKey = CurveSecretKey(text: text(ofCharacters: secretText)),
            let pair = CurveKeyPair(secretKey: secretKey)
        else { throw .last("zmq_curve_keypair") }
        return pair
    }
}

extension Socket {
    /// What is bound from now on asks for CURVE, and every client's key is shown to the ZAP handler of the context.
    package func requireCurve(_ keys: CurveKeyPair, domain: String) throws(ZeroMQError) {
        try handle.set(ZMQ_CURVE_SERVER, 1)
        try handle.set(ZMQ_CURVE_SECRETKEY, bytes: keys.secretKey.bytes)
        try handle.set(ZMQ_ZAP_DOMAIN, bytes: Array(domain.utf8))
    }

    /// What is connected from now on is encrypted, to exactly this server.
    package func useCurve(_ keys: CurveKeyPair, server: CurvePublicKey) throws(ZeroMQError) {
        try handle.set(ZMQ_CURVE_SERVERKEY, bytes: server.bytes)
        try handle.set(ZMQ_CURVE_PUBLICKEY, bytes: keys.publicKey.bytes)
        try handle.set(ZMQ_CURVE_SECRETKEY, bytes: keys.secretKey.bytes)
    }
}

private func z85Bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count == 40 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 32)
    return zmq_z85_decode(&bytes, text) == nil ? nil : bytes
}

private func z85Text(_ bytes: [UInt8]) -> String {
    var characters = [CChar](repeating: 0, count: 41)
    zmq_z85_encode(&characters, bytes, bytes.count)
    return text(ofCharacters: characters)
}

private func text(ofCharacters characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
