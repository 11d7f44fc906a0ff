package import FinOps
package import Secret

/// Makes at a provider what a project needs to call it, and takes it back. It may be stopped at any moment: the next run
/// finds by name what an answer that was lost had made, so that nothing stays there that nobody knows of.
package struct Provisioner: Sendable {
    /// What it writes down, and how it waits.
    package struct Book: Sendable {
        /// Decides and appends; gives the state that follows.
        package var record: @Sendable (ProvisionRegister.Command) async throws -> ProvisionRegister.State
        /// Puts the key into the vault; gives its version there.
        package var keep: @Sendable (Secret) async throws -> UInt32
        /// Real seconds.
        package var pause: @Sendable (Double) async throws -> Void

        package init(
            record: @escaping @Sendable (ProvisionRegister.Command) async throws -> ProvisionRegister.State,
            keep: @escaping @Sendable (Secret) async throws -> UInt32,
            pause: @escaping @Sendable (Double) async throws -> Void
        ) {
            self.record = record
            self.keep = keep
            self.pause = pause
        }
    }

    private let provider: any ProviderAdministration
    private let book: Book

    package init(_ provider: any ProviderAdministration, _ book: Book) {
        self.provider = provider
        self.book = book
    }

    /// Goes on where the log says it is.
    /// - Parameters:
    ///   - provision: begun, perhaps further.
    ///   - isKeyKept: whether the vault still has the key of the account that the log knows; if not, another one is made.
    /// - Returns: with the project and the account there.
    /// - Throws: `SourceFailure`, after which the same again goes on; what the book throws.
    package func make(
        _ provision: ProvisionRegister.Provision, isKeyKept: Bool = true
    ) async throws -> ProvisionRegister.Provision {
        var provision = provision
        if provision.projectID == nil {
            let (id, found) = try await project(named: provision.name)
            provision = try await recorded(.projectMade(id: id, found: found))
        }
        if provision.account == nil || !isKeyKept, let project = provision.projectID {
            provision = try await account(provision, in: project)
        }
        return provision
    }

    private static let attempts = 3

    private func project(named name: String) async throws -> (id: String, found: Bool) {
        for attempt in 1... {
            // An interrupted run may have made it, or the attempt before this one whose answer was lost.
            if let there = try await provider.projects(named: name).first(where: { !$0.isArchived }) {
                return (there.id, true)
            }
            do throws(SourceFailure) { return (try await provider.createProject(named: name).id, false) } catch {
                guard error.leavesDoubt, attempt < Self.attempts else { throw error }
            }
            try await book.pause(Double(attempt))
        }
        preconditionFailure("the last attempt throws")
    }

    private func account(
        _ provision: ProvisionRegister.Provision, in project: String
    ) async throws -> ProvisionRegister.Provision {
        for attempt in 1... {
            // Of one by this name that the log does not know, nobody has the key: the answer that carried it was lost.
            try await deleteOrphans(named: provision.name, in: project)
            let made: NewServiceAccount
            do throws(SourceFailure) {
                made = try await provider.createServiceAccount(named: provision.name, in: project)
            } catch {
                guard error.leavesDoubt, attempt < Self.attempts else { throw error }
                try await book.pause(Double(attempt))
                continue
            }
            let version = try await book.keep(made.key)
            return try await recorded(
                .accountMade(id: made.id, keyID: made.keyID, mask: made.key.mask, version: version))
        }
        preconditionFailure("the last attempt throws")
    }

    private func deleteOrphans(named name: String, in project: String) async throws {
        for orphan in try await provider.serviceAccounts(of: project) where orphan.name == name {
            _ = try await provider.deleteServiceAccount(orphan.id, of: project)
            _ = try await book.record(
                .accountDeleted(id: orphan.id, .orphan, reason: "nobody has its key: the answer with it was lost"))
        }
    }

    private func recorded(_ command: ProvisionRegister.Command) async throws -> ProvisionRegister.Provision {
        guard let provision = try await book.record(command) else { throw ProvisionRejection.unknown }
        return provision
    }

    // MARK: The way back

    /// What would be stopped beside what was made: keys that others made in the provider's project.
    package func others(_ provision: ProvisionRegister.Provision) async throws(SourceFailure) -> [ProviderKey] {
        var others: [ProviderKey] = []
        for project in try await projects(of: provision) {
            let accounts = Set(
                try await provider.serviceAccounts(of: project).filter { $0.name == provision.name }.map(\.id))
            others += try await provider.keys(of: project).filter { key in
                key.serviceAccount.map { !accounts.contains($0) } ?? true
            }
        }
        return others
    }

    /// Deletes the service account, archives the project, both also where only their names are known.
    /// - Throws: `SourceFailure`, after which the same again goes on; what the book throws.
    package func withdraw(_ provision: ProvisionRegister.Provision, reason: String) async throws {
        var provision = provision
        if !provision.isWithdrawing { provision = try await recorded(.beginWithdrawal(reason: reason)) }
        let projects = try await projects(of: provision)
        for project in projects {
            for account in try await provider.serviceAccounts(of: project) where account.name == provision.name {
                _ = try await provider.deleteServiceAccount(account.id, of: project)
                _ = try await book.record(.accountDeleted(id: account.id, .withdrawal, reason: reason))
            }
            _ = try await provider.archiveProject(project)
        }
        _ = try await book.record(.withdrawn(archived: projects))
    }

    /// Those that still work. A name with a part of its own is nobody else's.
    private func projects(of provision: ProvisionRegister.Provision) async throws(SourceFailure) -> [String] {
        try await provider.projects(named: provision.name).filter { !$0.isArchived }.map(\.id)
    }
}
