package import EventLog
import ZeroMQ

/// The keys by which a machine is known on the network, as their files hold them: 40 characters of Z85.
package enum BusKeys {
    /// Makes a pair. Neither begins with a character that a shell or a list of keys might take for something else.
    /// - Throws: `StoreError` if this machine's libzmq has no CURVE.
    package static func generate() throws(StoreError) -> (publicKey: String, secretKey: String) {
        while true {
            let pair: CurveKeyPair
            do throws(ZeroMQError) { pair = try .generate() } catch { throw StoreError(error) }
            let (publicKey, secretKey) = (pair.publicKey.text, pair.secretKey.revealText())
            if isPlain(publicKey), isPlain(secretKey) { return (publicKey, secretKey) }
        }
    }

    private static func isPlain(_ text: String) -> Bool { text.first.map { $0.isLetter || $0.isNumber } ?? false }

    /// nil if the text is no secret key.
    package static func publicKey(ofSecret text: String) -> String? {
        CurveSecretKey(text: text).flatMap { CurveKeyPair(secretKey: $0) }?.publicKey.text
    }

    /// Whether a text is a public key.
    package static func isKey(_ text: String) -> Bool { CurvePublicKey(text: text) != nil }
}

extension CurveClient {
    /// - Parameters:
    ///   - secretKey: ours, in Z85.
    ///   - server: the public key of the log that is meant. nil is returned when either is no key.
    package init?(secretKey: String, server: String) {
        guard let keys = CurveSecretKey(text: secretKey).flatMap({ CurveKeyPair(secretKey: $0) }),
            let server = CurvePublicKey(text: server)
        else { return nil }
        self.init(keys: keys, server: server)
    }
}
