import JSON
package import Secret

/// Where and as whom a key service is asked.
package struct KeyServiceSettings: Sendable {
    /// `KeyName.kind` of its keys.
    package let kind: String
    /// The key that wraps.
    package let keyID: String
    /// What the service is reached by: names and values, some of them secret.
    package let access: Secret
    /// Whether new secrets are wrapped there; else it only opens what it once wrapped.
    package var isWanted: Bool

    package init(kind: String, keyID: String, access: Secret, isWanted: Bool) {
        self.kind = kind
        self.keyID = keyID
        self.access = access
        self.isWanted = isWanted
    }
}

/// As they lie in the vault: one secret, so that address, credentials and which key is wanted change together.
extension KeyServiceSettings {
    /// Its id in the vault.
    package static let secretID = "key-service"

    /// - Returns: nil for anything that `secret` did not make.
    init?(_ secret: Secret) {
        // `try?`: what exactly is wrong with it does not matter to the caller.
        guard let json = secret.withUTF8({ try? JSONValue.parse(Array($0)) }), json["format"]?.integer == 1,
            let kind = json["kind"]?.string, let keyID = json["key_id"]?.string,
            let access = json["access"]?.string, let isWanted = json["is_wanted"]?.bool
        else { return nil }
        self.init(kind: kind, keyID: keyID, access: Secret(Array(access.utf8)), isWanted: isWanted)
    }

    /// To be put under `secretID` for `SecretPurpose.keyService`.
    package var secret: Secret {
        let json: JSONValue = [
            "format": 1, "kind": .string(kind), "key_id": .string(keyID), "is_wanted": .bool(isWanted),
            "access": .string(access.withUTF8 { String(decoding: $0, as: UTF8.self) }),
        ]
        return Secret(Array(json.text.utf8))
    }
}
