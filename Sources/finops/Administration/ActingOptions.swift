import ArgumentParser
import Runtime
import Secret
import Vault

/// As whom a command acts, where the user of this machine is not the person.
struct ActingOptions: ParsableArguments {
    @Option(name: .customLong("as"), help: "Id of the person who acts (default: who the user of this machine is).")
    var person: String?
    @Option(name: .customLong("token-file"), help: "File that holds that person's token; - for standard input.")
    var tokenFile: String?

    func validate() throws {
        guard (person == nil) == (tokenFile == nil) else {
            throw ValidationError("--as and --token-file go together")
        }
    }

    /// - Returns: nil if nobody is named.
    /// - Throws: `CommandFailure`: `usage` for a file that cannot be read, `notAuthorised` for another's token; `VaultError`.
    func person(in vault: SecretStore) async throws -> Person? {
        guard let person, let tokenFile else { return nil }
        let token: Secret
        do { token = try Secret.read(from: tokenFile) } catch {
            throw CommandFailure(.usage, "--token-file: \(error)")
        }
        guard let known = try await Person.authenticated(id: person, token: token, in: vault) else {
            throw CommandFailure(
                .notAuthorised, "--as: that is not the token of the person \(person)",
                hint: "`finops person list` shows the ids; `finops person token` makes a new token")
        }
        return known
    }
}
