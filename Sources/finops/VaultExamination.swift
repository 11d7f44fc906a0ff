import EventLog
import FinOps
import Providers
import Runtime
import Storage
import Transfer
import Vault

/// What `finops doctor` looks at in the vault: the master key, the key service, and whether every secret opens.
struct VaultExamination {
    let directory: StateDirectory

    private var dir: String { "--dir \(directory.path)" }

    /// A lost key is not mended by a new one: what the vault holds is under the old one.
    func findings() async -> [Finding] {
        let putBack = "put the saved key back as \(directory.masterKey) (mode 600), or connect every account again"
        var key = Finding(subject: "master key")
        var vault = Finding(subject: "vault")
        do throws(VaultError) {
            let ids = try SecretStore.ids(in: directory.vault)
            do throws(VaultError) {
                let store = try SecretStore.local(of: directory)
                if VaultKeys(of: directory).local.isChanging {
                    key.problem = "a change of the master key was begun and not ended"
                    key.remedy = "finops vault rotate \(dir)"
                }
                return [key] + (await findings(store, ids, putBack))
            } catch {
                key.problem = "\(error)"
                key.remedy = "finops init \(dir)"
                if !ids.isEmpty {
                    key.problem = "\(error); \(ids.count) secrets cannot be opened"
                    key.remedy = putBack
                    // Nothing was opened: to call the vault well would be a guess.
                    return [key]
                }
            }
        } catch {
            vault.problem = "\(error)"
            vault.remedy = "finops init \(dir)"
        }
        return [key, vault]
    }

    private func findings(_ store: SecretStore, _ ids: [String], _ putBack: String) async -> [Finding] {
        var counts: [KeyName: Int] = [:]
        var (refused, misplaced, unasked): ([VaultError], Int, Int) = ([], 0, 0)
        var service = await serviceFinding()
        for id in ids {
            do throws(VaultError) {
                let entry = try store.entry(id)
                counts[entry.wrapping, default: 0] += 1
                if try store.keys.wanted(for: entry.purpose) != entry.wrapping { misplaced += 1 }
                if entry.wrapping.kind != KMSKey.kind {
                    try await store.check(id)
                } else if service?.problem != nil {
                    // Each would wait for what was waited for already.
                    unasked += 1
                } else {
                    do throws(VaultError) {
                        try await answered { () throws(VaultError) in try await store.check(id) }
                    } catch {
                        guard error.code == .unavailable else { throw error }
                        service?.problem = "\(error)"
                        service?.remedy = networkRemedy
                        unasked += 1
                    }
                }
            } catch {
                refused.append(error)
            }
        }
        var vault = Finding(subject: "vault", note: Self.places(counts, unasked))
        if let first = refused.first {
            vault.problem = "\(refused.count) of \(ids.count) secrets cannot be opened: \(first)"
            vault.remedy =
                first.code == .masterKeyDiffers
                ? putBack : "finops restore BACKUP --replace \(dir), or enter what is damaged again"
        } else if misplaced > 0 {
            vault.problem = "\(misplaced) of \(ids.count) secrets do not lie under the wanted key yet"
            vault.remedy = "finops vault rotate\(isServiceWanted ? " --to aws-kms" : "") \(dir)"
        }
        return (service.map { [$0] } ?? []) + [vault]
    }

    /// An older file in a secret's place opens as well; the log knows which version was the last.
    /// - Throws: `StoreError`.
    func versionFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        var finding = Finding(subject: "vault and log")
        let entries: [SecretEntry]
        do throws(VaultError) {
            let store = SecretStore(directory: directory.vault, keys: VaultKeys(of: directory))
            entries = try store.entries()
        } catch {
            finding.note = "not compared: the vault cannot be read"
            return finding
        }
        for entry in entries {
            let known = try await reader.fold(.secret(entry.id), with: SecretRegister.self).state
            guard let known, entry.version < Int(known.version) else { continue }
            finding.problem =
                "the vault holds version \(entry.version) of \(entry.id), and the log knows version \(known.version)"
            finding.remedy = "an older file was put in its place: enter the secret anew, and find out by whom"
            return finding
        }
        return finding
    }

    /// How many lie under which key.
    private static func places(_ counts: [KeyName: Int], _ unasked: Int) -> String? {
        var parts = counts.sorted { ($0.key.kind, $0.key.id) < ($1.key.kind, $1.key.id) }
            .map { "\($0.value) under \($0.key.kind) \($0.key.id)" }
        if unasked > 0 { parts.append("\(unasked) of them not opened") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private var networkRemedy: String { "look at the network to AWS, then: finops doctor \(dir)" }

    /// A program that needs a secret asks for a minute, with retries; who asks how things are wants to know before that.
    private static let patience = Duration.seconds(8)

    /// What is asked of the key service, unless it takes too long.
    /// - Throws: what `asking` throws; `.unavailable` when the time is over.
    private func answered(_ asking: @escaping @Sendable () async throws(VaultError) -> Void) async throws(VaultError) {
        let outcome = await withTaskGroup(of: Result<Void, VaultError>?.self) { group in
            group.addTask {
                do throws(VaultError) { return .success(try await asking()) } catch { return .failure(error) }
            }
            group.addTask {
                // `try?`: it is cancelled when the answer has come.
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let outcome else {
            throw VaultError(
                .unavailable, "it has not answered within \(Self.patience.components.seconds) seconds",
                isRetriable: true)
        }
        try outcome.get()
    }

    /// `try?`: settings that cannot be read are the finding of the key service.
    private var isServiceWanted: Bool { (try? VaultKeys(of: directory).service())??.isWanted == true }

    /// - Returns: nil where none is set up.
    private func serviceFinding() async -> Finding? {
        var finding = Finding(subject: "key service")
        do throws(VaultError) {
            var policy = RetryPolicy()
            policy.pauses = [1]  // What is the matter is said by the second answer as well as by the fourth.
            let keys = VaultKeys(
                vault: directory.vault, masterKey: directory.masterKey, transfer: .keyService, policy: policy)
            guard let service = try keys.service() else { return nil }
            finding.note =
                "\(service.kind) \(service.keyID) answers, \(service.isWanted ? "and is" : "but is not") where secrets go"
            try await answered { () throws(VaultError) in try await keys.prove(service) }
        } catch {
            finding.problem = "\(error)"
            finding.remedy =
                error.code == .unavailable
                ? networkRemedy
                : "finops vault kms set --key-id ARN --region REGION --credentials-file FILE \(dir)"
        }
        return finding
    }
}
