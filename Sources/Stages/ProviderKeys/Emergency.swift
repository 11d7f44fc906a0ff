package import FinOps

/// The routes behind the gateway's own refusal of a key: for each upstream that its calls may go to, the provider's key is
/// deleted, then the provider's project is capped. What fails does not keep the rest from being tried, and what is done
/// is not tried again.
package struct Emergency: Sendable {
    /// An upstream, and how its provider can be told.
    package struct Target: Sendable {
        package var upstream: WireUpstreamSet
        /// Of the service account, where it was made from here.
        package var serviceAccount: String?
        package var access: Access

        package init(upstream: WireUpstreamSet, serviceAccount: String? = nil, access: Access) {
            self.upstream = upstream
            self.serviceAccount = serviceAccount
            self.access = access
        }
    }

    /// Whether the provider can be told.
    package enum Access: Sendable {
        case granted(any ProviderAdministration)
        /// Why nobody can tell the provider; ends with the remedy.
        case missing(String)
    }

    /// How one step stands after the run.
    package struct Report: Hashable, Sendable {
        package let step: EmergencyStep
        package let outcome: EmergencyOutcome
        /// What was in force before; empty where that is unknown or nothing was changed.
        package let before: String
        /// Of a refusal: what kind it was.
        package let failure: SourceFailure.Kind?
        /// It was done by an earlier run.
        package let isOld: Bool
    }

    /// What it writes down.
    package struct Book: Sendable {
        /// Appends to the key's stream; gives the key as it stands then.
        package var started: @Sendable (WireKeyEmergencyStepStarted) async throws -> KeyRegister.Key
        package var ended: @Sendable (WireKeyEmergencyStepEnded) async throws -> Void

        package init(
            started: @escaping @Sendable (WireKeyEmergencyStepStarted) async throws -> KeyRegister.Key,
            ended: @escaping @Sendable (WireKeyEmergencyStepEnded) async throws -> Void
        ) {
            self.started = started
            self.ended = ended
        }
    }

    private let key: KeyRegister.Key
    private let decision: UInt64
    private let isDrill: Bool
    private let book: Book

    /// - Parameters:
    ///   - key: as it stands after it was disabled.
    ///   - decision: position of its key.disabled, or of the drill's.
    package init(of key: KeyRegister.Key, decision: UInt64, isDrill: Bool, _ book: Book) {
        self.key = key
        self.decision = decision
        self.isDrill = isDrill
        self.book = book
    }

    /// Whom else the two routes stop, as far as the provider tells: keys of its projects that are not the targets' own. Of a
    /// project that was made for one upstream nobody else has any, unless the provider says so.
    /// - Returns: in words.
    package static func others(_ targets: [Target]) async -> [String] {
        var others: [String] = []
        for target in targets {
            guard case .granted(let provider) = target.access, let project = target.projectID else { continue }
            do throws(SourceFailure) {
                others += try await provider.keys(of: project).filter { $0.id != target.keyID }.map {
                    "\($0.id) in \(project), the provider's project of \(target.upstream.name)"
                }
            } catch {
                guard target.serviceAccount == nil else { continue }
                others.append("nobody can tell which keys of \(project): \(error.message)")
            }
        }
        return others
    }

    /// - Parameter objection: why nothing at the provider may be changed; nil lets it.
    /// - Returns: all steps, in their order.
    /// - Throws: what the book throws.
    package func run(_ targets: [Target], objection: String?) async throws -> [Report] {
        var reports: [Report] = []
        for route in EmergencyRoute.allCases {
            for target in targets { reports.append(try await take(route, target, objection)) }
        }
        return reports
    }

    private func take(_ route: EmergencyRoute, _ target: Target, _ objection: String?) async throws -> Report {
        let step = EmergencyStep(route, upstream: target.upstream.name)
        if !isDrill, key.isDone(step) {
            return Report(
                step: step, outcome: .done("by an earlier run"), before: key.steps[step]?.before ?? "", failure: nil,
                isOld: true)
        }
        if let reason = missing(route, target) ?? objection {
            return try await end(step, .skipped(reason))
        }
        guard case .granted(let provider) = target.access, let project = target.projectID else {
            return try await end(step, .skipped("the provider's project is unknown"))
        }
        var before = ""
        if route == .capProviderProject { before = await standing(provider, project) }
        let known = try await book.started(started(step, target, before))
        // Of several attempts the first saw what was in force.
        before = known.steps[step]?.before ?? before
        let (outcome, failure) = await attempt(route, target, provider, project)
        return try await end(step, outcome, before: before, failure)
    }

    private func attempt(
        _ route: EmergencyRoute, _ target: Target, _ provider: any ProviderAdministration, _ project: String
    ) async -> (EmergencyOutcome, SourceFailure.Kind?) {
        do throws(SourceFailure) {
            switch route {
            case .deleteProviderKey: return (try await deleteKey(target, provider, project), nil)
            case .capProviderProject: return (try await cap(provider, project), nil)
            }
        } catch { return (.refused("\(error.message) (\(error.code))"), error.kind) }
    }

    /// Why a route cannot be taken at all.
    private func missing(_ route: EmergencyRoute, _ target: Target) -> String? {
        if case .missing(let reason) = target.access { return reason }
        let name = target.upstream.name
        if route == .deleteProviderKey, target.keyID == nil {
            return "the provider's id of the key is unknown: give it with `finops upstream set … --name \(name) "
                + "--provider-key-id ID`"
        }
        if target.projectID == nil {
            return "the provider's id of the key's project is unknown: give it with `finops upstream set … "
                + "--name \(name) --provider-project-id ID`"
        }
        return nil
    }

    private func end(
        _ step: EmergencyStep, _ outcome: EmergencyOutcome, before: String = "", _ failure: SourceFailure.Kind? = nil
    ) async throws -> Report {
        var ended = WireKeyEmergencyStepEnded()
        ended.key = key.issued.key
        ended.decision = decision
        ended.drill = isDrill
        ended.step = step.route.rawValue
        ended.upstream = step.upstream
        ended.outcome = outcome.word
        ended.detail = outcome.detail
        try await book.ended(ended)
        return Report(step: step, outcome: outcome, before: before, failure: failure, isOld: false)
    }

    private func started(_ step: EmergencyStep, _ target: Target, _ before: String) -> WireKeyEmergencyStepStarted {
        var started = WireKeyEmergencyStepStarted()
        started.key = key.issued.key
        started.decision = decision
        started.drill = isDrill
        started.step = step.route.rawValue
        started.upstream = step.upstream
        started.provider = target.upstream.provider
        started.account = target.upstream.account
        started.providerProjectID = target.projectID ?? ""
        started.providerKeyID = target.keyID ?? ""
        started.before = before
        return started
    }
}

// MARK: Deleting the key

extension Emergency {
    /// Older contracts refuse to delete a service account's key alone (400): then the account goes, and all its keys.
    private func deleteKey(
        _ target: Target, _ provider: any ProviderAdministration, _ project: String
    ) async throws(SourceFailure) -> EmergencyOutcome {
        guard let id = target.keyID else { return .skipped("the provider's id of the key is unknown") }
        if isDrill {
            let keys = try await provider.keys(of: project)
            guard let key = keys.first(where: { $0.id == id }) else {
                return .rehearsed("there is no key \(id) in \(project)")
            }
            let owner = key.serviceAccount.map { " of service account \($0)" } ?? " of a person"
            return .rehearsed("key \(id)\(owner) in \(project) would be deleted")
        }
        let refusal: SourceFailure
        do throws(SourceFailure) {
            return try await provider.deleteKey(id, of: project)
                ? .done("deleted key \(id) in \(project)") : .done("key \(id) in \(project) was gone already")
        } catch {
            guard error.kind == .refused else { throw error }
            refusal = error
        }
        var account = target.serviceAccount
        if account == nil {
            account = try await provider.keys(of: project).first { $0.id == id }?.serviceAccount
        }
        guard let account else { throw refusal }
        return try await provider.deleteServiceAccount(account, of: project)
            ? .done("deleted service account \(account) in \(project) with all its keys, \(id) among them")
            : .done("service account \(account) in \(project) was gone already")
    }
}

// MARK: Capping the project

extension Emergency {
    /// US cents: the least that can be set. It is what a month may cost, and nearly always spent already.
    private static let leastSpendLimit: Int64 = 1

    /// A spend limit is the only thing that caps spend. Where the provider has none, rate limits slow it down.
    private func cap(
        _ provider: any ProviderAdministration, _ project: String
    ) async throws(SourceFailure) -> EmergencyOutcome {
        if isDrill { return try await rehearseCap(provider, project) }
        let refusal: SourceFailure?
        do throws(SourceFailure) {
            if try await provider.setSpendLimit(cents: Self.leastSpendLimit, of: project) {
                return .done("spend limit of \(project) is 0.01 USD a month; what is under way may still pass it")
            }
            refusal = nil
        } catch {
            guard error.kind == .refused else { throw error }
            refusal = error
        }
        let limits = try await provider.rateLimits(of: project)
        if limits.isEmpty, let refusal { throw refusal }
        guard !limits.isEmpty else {
            throw SourceFailure(.refused, "\(project) has neither a spend limit nor rate limits to set")
        }
        var failures: [(model: String, failure: SourceFailure)] = []
        for limit in limits {
            do throws(SourceFailure) { try await provider.setLeast(limit, of: project) } catch {
                failures.append((limit.model, error))
            }
        }
        if let first = failures.first {
            let words = "\(limits.count - failures.count) of \(limits.count) models slowed down; \(first.model): "
            throw SourceFailure(first.failure.kind, words + first.failure.message)
        }
        return .done(
            "no spend limit there: 1 request and 1 token a minute for each of \(limits.count) models of \(project), which "
                + "slows spend and does not cap it")
    }

    private func rehearseCap(
        _ provider: any ProviderAdministration, _ project: String
    ) async throws(SourceFailure) -> EmergencyOutcome {
        let now = try await provider.spendLimit(of: project).map { "it is \(Self.dollars($0)) USD" } ?? "there is none"
        return .rehearsed("the spend limit of \(project) would be 0.01 USD a month; now \(now)")
    }

    private static func dollars(_ cents: Int64) -> String {
        let rest = cents % 100
        return "\(cents / 100)." + (rest < 10 ? "0" : "") + "\(rest)"
    }

    /// Events are small; a project with thousands of models is told in part.
    private static let mostStanding = 2_000

    /// What is in force, as the event has it; empty if the provider does not say, which stops nothing.
    private func standing(_ provider: any ProviderAdministration, _ project: String) async -> String {
        do throws(SourceFailure) {
            if let cents = try await provider.spendLimit(of: project) { return "spend_limit=\(cents)" }
            var text = "spend_limit=none"
            for limit in try await provider.rateLimits(of: project) {
                let piece = " \(limit.model)=\(limit.requests)/\(limit.tokens)"
                guard text.utf8.count + piece.utf8.count <= Self.mostStanding else { return text + " …" }
                text += piece
            }
            return text
        } catch { return "" }
    }
}

extension Emergency.Target {
    package var canBeTold: Bool { if case .granted = access { true } else { false } }
    var projectID: String? { upstream.hasProviderProjectID ? upstream.providerProjectID : nil }
    var keyID: String? { upstream.hasProviderKeyID ? upstream.providerKeyID : nil }
}
