import EventLog
import FinOps
import Providers
import Runtime
import Storage
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
        let service = await serviceFinding()
        for id in ids {
            do throws(VaultError) {
                let entry = try store.entry(id)
                counts[entry.wrapping, default: 0] += 1
                if try store.keys.wanted(for: entry.purpose) != entry.wrapping { misplaced += 1 }
                // Each would wait for what was waited for already.
                if entry.wrapping.kind == KMSKey.kind, service?.problem != nil {
                    unasked += 1
                } else {
                    try await store.check(id)
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

    /// `try?`: settings that cannot be read are the finding of the key service.
    private var isServiceWanted: Bool { (try? VaultKeys(of: directory).service())??.isWanted == true }

    /// - Returns: nil where none is set up.
    private func serviceFinding() async -> Finding? {
        var finding = Finding(subject: "key service")
        do throws(VaultError) {
            let keys = VaultKeys(of: directory)
            guard let service = try keys.service() else { return nil }
            finding.note =
                "\(service.kind) \(service.keyID) answers, \(service.isWanted ? "and is" : "but is not") where secrets go"
            try await keys.prove(service)
        } catch {
            finding.problem = "\(error)"
            finding.remedy =
                error.code == .unavailable
                ? "look at the network to AWS, then: finops doctor \(dir)"
                : "finops vault kms set --key-id ARN --region REGION --credentials-file FILE \(dir)"
        }
        return finding
    }
}
