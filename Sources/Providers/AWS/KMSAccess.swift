import JSON
package import Secret
package import Transfer
package import Vault

/// Where AWS KMS is asked, and as whom: what `KeyServiceSettings.access` holds.
package struct KMSAccess: Sendable {
    /// Such as `eu-central-1`.
    package let region: String
    /// nil for AWS's own of the region.
    package let endpoint: String?
    package let credentials: AWSCredentials

    package init(region: String, endpoint: String?, credentials: AWSCredentials) {
        self.region = region
        self.endpoint = endpoint
        self.credentials = credentials
    }

    /// - Returns: nil for anything that `secret` did not make.
    init?(_ secret: Secret) {
        // `try?`: what exactly is wrong with it does not matter to the caller.
        guard let json = secret.withUTF8({ try? JSONValue.parse(Array($0)) }),
            let region = json["region"]?.string, let id = json["access_key_id"]?.string,
            let key = json["secret_access_key"]?.string
        else { return nil }
        let token = json["session_token"]?.string.map { Secret(Array($0.utf8)) }
        self.init(
            region: region, endpoint: json["endpoint"]?.string,
            credentials: AWSCredentials(accessKeyID: id, secretAccessKey: Secret(Array(key.utf8)), sessionToken: token))
    }

    /// For the vault.
    package var secret: Secret {
        func text(_ secret: Secret) -> String { secret.withUTF8 { String(decoding: $0, as: UTF8.self) } }
        let json: JSONValue = [
            "region": .string(region), "endpoint": JSONValue(endpoint),
            "access_key_id": .string(credentials.accessKeyID),
            "secret_access_key": .string(text(credentials.secretAccessKey)),
            "session_token": JSONValue(credentials.sessionToken.map(text)),
        ]
        return Secret(Array(json.text.utf8))
    }
}

extension AWSCredentials {
    /// What of a file of credentials is wrong; nothing of its contents is in it.
    package struct Unreadable: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    /// Reads the file that AWS's own tools write: lines `name = value` under `[default]`, or under no heading.
    /// - Throws: `Unreadable`, naming what is missing.
    package init(file: Secret) throws(Unreadable) {
        var values: [Substring: Substring] = [:]
        var isDefault = true
        let text = file.withUTF8 { String(decoding: $0, as: UTF8.self) }
        for line in text.split(whereSeparator: \.isNewline) {
            let line = Self.trimmed(line)
            if line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                isDefault = line == "[default]"
                continue
            }
            let parts = line.split(separator: "=", maxSplits: 1)
            if isDefault, parts.count == 2 { values[Self.trimmed(parts[0])] = Self.trimmed(parts[1]) }
        }
        func value(_ name: Substring) throws(Unreadable) -> String {
            guard let value = values[name], !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Unreadable(description: "it has no line \"\(name) = …\" under [default]")
            }
            return String(value)
        }
        let token: Secret? =
            values["aws_session_token"] == nil ? nil : Secret(Array(try value("aws_session_token").utf8))
        self.init(
            accessKeyID: try value("aws_access_key_id"),
            secretAccessKey: Secret(Array(try value("aws_secret_access_key").utf8)), sessionToken: token)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}

extension VaultKeys {
    /// The keys of a state directory: the local master key, and AWS KMS where it is set up.
    /// - Parameters:
    ///   - vault: the directory of secrets.
    ///   - masterKey: the file of the local key.
    ///   - transfer: how KMS is reached.
    ///   - policy: how often it is asked again.
    package init(
        vault: String, masterKey: String, transfer: TransferSettings, policy: RetryPolicy = RetryPolicy()
    ) {
        self.init(vault: vault, local: LocalKeys(path: masterKey)) { settings throws(VaultError) in
            guard settings.kind == KMSKey.kind, let access = KMSAccess(settings.access) else {
                throw VaultError(
                    .tampered, "the settings of the key service are of another version: run `finops vault kms set`")
            }
            return try KMSKey(settings.keyID, access, transfer: transfer, policy: policy)
        }
    }

    /// Tries everything that is ever asked of the key service's key.
    /// - Throws: `VaultError`, as `KMSKey.prove`; `.masterKeyDiffers` where no service is set up.
    package func prove(_ service: KeyServiceSettings) async throws(VaultError) {
        guard let key = try key(KeyName(kind: service.kind, id: service.keyID)) as? KMSKey else {
            throw VaultError(.masterKeyDiffers, "\(service.kind) is no key service that this version knows")
        }
        _ = try await key.prove()
    }
}

extension TransferSettings {
    /// How a key service is reached, where a program has no other settings of its own.
    /// - Parameter environment: `FINOPS_CA_FILE` and `FINOPS_PROXY` count.
    package static func keyService(_ environment: [String: String]) -> TransferSettings {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var settings = TransferSettings()
        settings.caBundle = variable("FINOPS_CA_FILE")
        settings.proxy = variable("FINOPS_PROXY")
        return settings
    }
}

extension KMSKey {
    /// Over libcurl, with three retries unless the policy says otherwise.
    /// - Throws: `VaultError.unavailable` if libcurl does not start.
    package init(
        _ keyID: String, _ access: KMSAccess, transfer: TransferSettings, policy: RetryPolicy = RetryPolicy()
    ) throws(VaultError) {
        // Somebody waits for every secret, and a signature holds for five minutes: all attempts together end within one.
        var transfer = transfer
        transfer.connectSeconds = 5
        transfer.totalSeconds = 10
        transfer.responseBytes = 1 << 20
        let transport: CurlTransport
        do { transport = try CurlTransport(transfer) } catch { throw VaultError(.unavailable, "AWS KMS: \(error)") }
        let waiting = Waiting.real
        self.init(
            keyID: keyID, region: access.region, endpoint: access.endpoint, credentials: access.credentials,
            transport: PatientTransport(transport, policy: policy, waiting: waiting), now: waiting.now)
    }
}

extension SecretStore {
    /// The vault of a state directory under all its keys, wherever those are.
    package static func under(vault: String, masterKey: String, transfer: TransferSettings) -> SecretStore {
        SecretStore(
            directory: vault, keys: VaultKeys(vault: vault, masterKey: masterKey, transfer: transfer))
    }
}
