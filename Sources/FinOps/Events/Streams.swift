package import EventLog

/// The names of the domain's streams, spelled in one place.
extension StreamName {
    /// Usage of an account on one UTC day.
    package static func usage(account: String, day: Day) -> StreamName { StreamName("usage-\(account)-\(day)") }
    /// The provider's bill of an account for one UTC day.
    package static func bill(account: String, day: Day) -> StreamName { StreamName("bill-\(account)-\(day)") }
    /// How that bill is spread, and whether it is in force.
    package static func allocation(account: String, day: Day) -> StreamName {
        StreamName("allocation-\(account)-\(day)")
    }
    /// A provider's prices.
    package static func prices(provider: String) -> StreamName { StreamName("prices-\(provider)") }
    /// Changes of prices that wait for a second person: `PriceProposals`.
    package static let priceProposals: StreamName = "proposal-prices"
    /// What is being repriced, in one order: `CorrectionLedger`.
    package static let corrections: StreamName = "correction-ledger"
    /// Where rows of a model without a price were met. A model's name comes from outside: it is cut and escaped to fit.
    package static func unpriced(provider: String, model: String) -> StreamName {
        let prefix = "unpriced-\(provider)-"
        let room = max(0, EventLimits.nameBytes - prefix.utf8.count)
        return StreamName(prefix + NameText.fitting(model, bytes: room))
    }
    /// One stream for all teams: `TeamRegister`.
    package static let teams: StreamName = "directory-teams"
    /// One stream for all projects and where they belong: `ProjectRegister`.
    package static let projects: StreamName = "directory-projects"
    /// A provider account that is collected.
    package static func connection(provider: String, account: String) -> StreamName {
        StreamName("connection-\(provider)-\(account)")
    }
    /// Which project pays for a provider's keys and projects.
    package static func mapping(provider: String) -> StreamName { StreamName("mapping-\(provider)") }
    /// What the attributor made of the mappings, for one account.
    package static func assignment(provider: String, account: String) -> StreamName {
        StreamName("assignment-\(provider)-\(account)")
    }
    /// The collections of an account whose span begins with this UTC day.
    package static func run(account: String, firstDay: Day) -> StreamName { StreamName("run-\(account)-\(firstDay)") }
    /// What a stage put aside.
    package static func failures(stage: String) -> StreamName { StreamName("failures-\(stage)") }
    /// Who was forgotten.
    package static let people: StreamName = "directory-people"
    /// What became of a secret in the vault.
    package static func secret(_ id: String) -> StreamName { StreamName("secret-\(id)") }
    /// What a scope may cost.
    package static func threshold(_ scope: CostScope) -> StreamName {
        StreamName("threshold-\(scope.kind)-\(scope.name)")
    }
    /// What was found about the windows of one kind that begin on one day, in all zones and of all scopes.
    package static func alerts(_ kind: WindowKind, firstDay: Day) -> StreamName {
        StreamName("alert-\(kind.rawValue)-\(firstDay)")
    }
    /// What should happen and does not.
    package static func conditions(_ kind: String) -> StreamName { StreamName("condition-\(kind)") }
    /// Where alerts go.
    package static func channel(_ name: String) -> StreamName { StreamName("channel-\(name)") }
    /// What is to be told to one destination, and what became of it.
    package static func outbox(_ destination: String) -> StreamName { StreamName("outbox-\(destination)") }
    /// What the gateway calls by that name.
    package static func upstream(_ name: String) -> StreamName { StreamName("upstream-\(name)") }
    /// What was made at a provider for the upstream of that name.
    package static func provision(_ upstream: String) -> StreamName { StreamName("provision-\(upstream)") }
    /// A key of the gateway, by its id.
    package static func key(_ id: String) -> StreamName { StreamName("key-\(id)") }
    /// The parts of a limit that gateways spend by themselves, of one window.
    package static func budget(_ scope: CostScope, _ kind: WindowKind, firstDay: Day) -> StreamName {
        StreamName("budget-\(scope.kind)-\(scope.name)-\(kind.rawValue)-\(firstDay)")
    }
    /// The gateways that let a key's calls through, if it has a pace.
    package static func pace(key: String) -> StreamName { StreamName("pace-\(key)") }
    /// What a gateway put in force.
    package static func enforcement(gateway: String) -> StreamName { StreamName("enforcement-\(gateway)") }
    /// Calls through gateways that are on an account's bill, by the UTC day in which they started.
    package static func calls(account: String, day: Day) -> StreamName { StreamName("calls-\(account)-\(day)") }
    /// The life of a stage, as its supervisor saw it.
    package static func stage(_ name: String) -> StreamName { StreamName("stage-\(name)") }

    /// Account and UTC day of a stream of the form `<category>-<account>-<day>`; nil for any other.
    package var accountDay: AccountDay? {
        let bytes = text.utf8
        let categoryEnd = category.endIndex
        guard bytes.count > 12, categoryEnd != text.endIndex,
            let dayStart = text.utf8.index(text.endIndex, offsetBy: -10, limitedBy: text.startIndex),
            text.utf8.index(after: categoryEnd) < dayStart
        else { return nil }
        let hyphen = text.utf8.index(before: dayStart)
        let accountStart = text.utf8.index(after: categoryEnd)
        guard text.utf8[hyphen] == UInt8(ascii: "-"), accountStart < hyphen, let day = Day(text[dayStart...]) else {
            return nil
        }
        return AccountDay(account: String(text[accountStart..<hyphen]), day: day)
    }
}

extension ProducerName {
    /// What takes a gateway's spool into the log: its sequences stand for the spool's records.
    package static func gateway(_ name: String) -> ProducerName { ProducerName("gateway-\(name)") }
}

/// One account's UTC day: the unit of collection, billing and allocation.
package struct AccountDay: Hashable, Sendable {
    /// The provider's name is not in it: the streams of a day are named by account alone.
    package let account: String
    package let day: Day

    package init(account: String, day: Day) {
        self.account = account
        self.day = day
    }
}

/// Text from outside made fit for a name in the log.
enum NameText {
    /// Control characters become `%XX`; what is longer than `bytes` is cut at a whole character.
    static func fitting(_ text: String, bytes: Int) -> String {
        var out = ""
        var size = 0
        for scalar in text.unicodeScalars {
            let control = scalar.value < 0x20 || scalar.value == 0x7F
            let hex = String(scalar.value, radix: 16, uppercase: true)
            let piece = control ? "%" + (hex.count < 2 ? "0" : "") + hex : String(scalar)
            guard size + piece.utf8.count <= bytes else { break }
            size += piece.utf8.count
            out += piece
        }
        return out
    }
}
