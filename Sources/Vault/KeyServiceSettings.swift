import JSON
package import Secret

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
