import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import Glibc
import JSON
import Projections
import Runtime
import Spool
import Storage
import Vault

/// What is missing, and the command that mends it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is missing or wrong, and what mends it; exit 3 if anything is.",
        discussion: "Example: finops doctor --dir D")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.stateDirectory()
        let findings = await Examination(directory: directory, pipeline: options.pipeline).findings()
        let isWell = findings.allSatisfy { $0.problem == nil }
        if options.json {
            let entries = findings.map(\.document)
            try Output.line(
                JSONValue.object([.init("ok", .bool(isWell)), .init("checks", .array(entries))]).prettyText)
        } else {
            for finding in findings { try Output.line(finding.text) }
        }
        if !isWell { throw ExitCode(ExitStatus.problemFound.rawValue) }
    }
}

/// One thing that was looked at.
struct Finding {
    var subject: String
    var problem: String?
    var remedy: String?
    /// What was not looked at, where that could be thought.
    var note: String?

    var text: String {
        guard let problem else { return "ok       \(subject)" + (note.map { " (\($0))" } ?? "") }
        return "problem  \(subject): \(problem)" + (remedy.map { "\n         → \($0)" } ?? "")
    }

    var document: JSONValue {
        .object([
            .init("check", .string(subject)), .init("ok", .bool(problem == nil)),
            .init("problem", JSONValue(problem)), .init("remedy", JSONValue(remedy)), .init("note", JSONValue(note)),
        ])
    }
}

private struct Examination {
    private static let programs = [
        "event-log", "projector", "ingest-openai", "attributor", "threshold-watcher", "notifier", "gateway",
        "reporter",
    ]
    private static let freeBytes: UInt64 = 1 << 30

    let directory: StateDirectory
    let pipeline: String?

    private var dir: String { "--dir \(directory.path)" }

    func findings() async -> [Finding] {
        var findings = [
            check("state directory", remedy: "finops init \(dir)") { try directory.checkInitialised() },
            check("programs", remedy: "build them: Ops/build") {
                let locator = try ProgramLocator.beside()
                for program in Self.programs { _ = try locator.path(of: program) }
            },
        ]
        // Without a directory everything else would only repeat that.
        guard findings[0].problem == nil else { return findings }
        let (configuration, configured) = configurationFinding()
        findings += await secretFindings()
        findings += [
            configured,
            check("pipeline", remedy: "edit it, then: finops pipeline check \(dir)") {
                let topology = try Topology.load(pipeline ?? directory.pipeline, knownTypes: .finOps)
                // A configuration that cannot be read is told of once.
                if let configuration { try topology.checkZone(against: configuration) }
            },
        ]
        if let gap = gapFinding() { findings.append(gap) }
        findings += [
            check("clock", remedy: "finops up writes it anew") { _ = try PipelineClock.load(from: directory) },
            check("disk space", remedy: "make room on the disk of \(directory.path)") { try checkFreeSpace() },
        ]
        return findings + gatewayFindings() + (await logFindings()) + [projectionsFinding()]
    }

    /// nil where the pipeline cannot be read, which is told of already.
    private func gapFinding() -> Finding? {
        guard let topology = try? Topology.load(pipeline ?? directory.pipeline, knownTypes: .finOps) else { return nil }
        var finding = Finding(subject: "programs of the pipeline")
        do {
            guard let gap = try PipelineGap(of: topology) else { return finding }
            if gap.mayBeElsewhere {
                finding.note = "\(gap.problem): right, if they run on another machine"
            } else {
                finding.problem = gap.problem
                finding.remedy =
                    pipeline.map { "add them to \($0), as \(directory.pipeline) of a new `finops init` has them" }
                    ?? PipelineGap.remedy(directory)
            }
        } catch {
            finding.problem = "\(error)"
            finding.remedy = "install this version anew: its default pipeline is damaged"
        }
        return finding
    }

    private func configurationFinding() -> (Configuration?, Finding) {
        var configuration: Configuration?
        let remedy = "edit \(directory.configuration), then: finops config check \(dir)"
        let finding = check("configuration", remedy: remedy) { configuration = try Configuration.load(directory) }
        return (configuration, finding)
    }

    private func secretFindings() async -> [Finding] {
        await VaultExamination(directory: directory).findings()
    }

    /// Records that the log refused: what those calls cost is counted nowhere until they are delivered.
    private func gatewayFindings() -> [Finding] {
        // Where there is no spool there is no gateway.
        guard access(directory.spool, F_OK) == 0 else { return [] }
        var names: [String] = []
        let spool = check(
            "spool", remedy: "make \(directory.spool) a directory that the gateway's user alone may enter"
        ) {
            names = try FileManager.default.contentsOfDirectory(atPath: directory.spool).sorted()
        }
        guard spool.problem == nil else { return [spool] }
        return names.map { name in
            var finding = Finding(subject: "records of gateway \(name)")
            do {
                let refused = try Spool.refusedNumbers(of: directory.gateway(name))
                guard let first = refused.first else { return finding }
                finding.problem = "the log refused \(refused.count) of them: finops dead-letters list \(dir) says why"
                finding.remedy = "finops dead-letters retry gateway-\(name)/\(first) --reason TEXT \(dir)"
            } catch { finding.problem = "\(error)" }
            return finding
        }
    }

    /// Before the first build there are none, which the projector sees to by itself.
    private func projectionsFinding() -> Finding {
        guard ProjectionFiles(directory: directory.projectionsDirectory).currentGeneration != nil else {
            return Finding(subject: "projections", note: "none yet: the projector makes them")
        }
        var finding = check("projections", remedy: "projector rebuild \(dir)") {
            try ProjectionReader(path: directory.currentProjection).checkPages()
        }
        finding.note = "whole; that they agree with the log is not checked: projector rebuild \(dir)"
        return finding
    }

    private func logFindings() async -> [Finding] {
        guard access(directory.logDatabase, F_OK) == 0 else {
            return [Finding(subject: "log", problem: "there is none yet", remedy: "finops init \(dir)")]
        }
        let files = LogFiles(database: directory.logDatabase)
        let reader = SQLiteEventReader(files: files)
        do {
            try LogEnd.check(files)
            return [
                Finding(subject: "log", note: "its end; earlier rows were not verified: event-log verify \(dir)"),
                try await content(
                    "prices", prefix: "prices-", "no model has a price", "finops price import FILE \(dir)", reader),
                try await connectionFinding(reader),
                try await billingFinding(reader),
                try await mappingFinding(reader),
                try await channelFinding(reader),
                try await currencyFinding(reader),
                try await provisionFinding(reader),
                try await VaultExamination(directory: directory).versionFinding(reader),
            ]
        } catch {
            return [Finding(subject: "log", problem: "\(error)", remedy: logRemedy(error))]
        }
    }

    /// Costs come from a provider's account, from calls through the gateway, or from both.
    private func connectionFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        if try await isThere("upstream-", reader) { return Finding(subject: "connections") }
        return try await content(
            "connections", prefix: "connection-", "no provider is connected, and the gateway has no upstream",
            "finops connect openai --name NAME --key-file FILE \(dir)", reader)
    }

    /// Calls that would count twice: as the gateway's estimate, and as usage of an account with another name.
    private func billingFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        var finding = Finding(subject: "accounts of upstreams")
        let connections = try await reader.connections()
        for upstream in try await reader.upstreams() {
            let others = UpstreamBilling.otherAccounts(than: upstream, among: connections)
            guard let other = others.first else { continue }
            finding.problem = upstream.doubleCounting(beside: others)
            finding.remedy = "\(upstream.accountCommand(other)) \(dir)"
            return finding
        }
        return finding
    }

    /// Calls through the gateway belong to the project of their key; what an account says has to be mapped.
    private func mappingFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        let (hasUpstream, hasConnection) = (
            try await isThere("upstream-", reader), try await isThere("connection-", reader)
        )
        if hasUpstream, !hasConnection { return Finding(subject: "mappings") }
        return try await content(
            "mappings", prefix: "mapping-",
            "no key or provider project belongs to a project, so all cost is unattributed",
            "finops key map --provider openai --provider-key-id ID --project PROJECT \(dir)", reader)
    }

    /// Limits that nobody would hear of, and channels that nothing could be sent to.
    private func channelFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        var finding = Finding(subject: "alert channels")
        var channels: [ChannelName] = []
        for name in ChannelName.allCases {
            guard let channel = try await reader.fold(name.stream, with: ChannelRegister.self).state else { continue }
            channels.append(name)
            if try !SecretStore.ids(in: directory.vault).contains(channel.set.secretID) {
                finding.problem = "the vault does not hold the address and credential of \(name)"
                finding.remedy = "\(name.setCommand) \(dir)"
                return finding
            }
        }
        guard !channels.contains(where: \.takesAlerts) else { return finding }
        if try await isAnyLimitSet(reader) {
            finding.problem = "limits are set, and no channel tells of what passes them"
            finding.remedy = "\(ChannelName.slack.setCommand) \(dir)"
        } else {
            finding.note = "none, and no limit either"
        }
        return finding
    }

    /// Limits that nothing is held against, since the reporting currency is another one.
    private func currencyFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        var finding = Finding(subject: "currency of limits")
        // A configuration that cannot be read, or a currency that is none, is told of already.
        guard let currency = (try? Configuration.load(directory)).flatMap({ Currency($0.currency) }) else {
            finding.note = "not looked at"
            return finding
        }
        var limits: [UnwatchedLimit] = []
        for found in try await reader.allStreams(prefix: "threshold-") {
            let statements = try await reader.fold(found.stream, with: ThresholdRegister.self).state.values
            limits += statements.compactMap { UnwatchedLimit($0, watched: currency) }
        }
        guard let first = limits.first else { return finding }
        finding.problem = first.problem + (limits.count > 1 ? "; so are \(limits.count - 1) more" : "")
        finding.remedy = first.remedy
        return finding
    }

    /// What a command that was interrupted may have left at a provider.
    private func provisionFinding(_ reader: SQLiteEventReader) async throws -> Finding {
        var finding = Finding(subject: "provisioned keys")
        for found in try await reader.allStreams(prefix: "provision-") {
            guard let provision = try await reader.fold(found.stream, with: ProvisionRegister.self).state,
                provision.isWithdrawing || (provision.account == nil && !provision.isStopped)
            else { continue }
            let (started, verb) = (provision.started, provision.isWithdrawing ? "taken back" : "made")
            finding.problem =
                "\"\(started.upstream)\" is not wholly \(verb): what is at \(started.account) has the name \"\(provision.name)\""
            finding.remedy =
                provision.isWithdrawing
                ? "finops project deprovision --upstream \(started.upstream) --yes \(dir)"
                : "finops project provision \(started.project) --account \(started.account) --upstream \(started.upstream) \(dir)"
            return finding
        }
        return finding
    }

    private func isAnyLimitSet(_ reader: SQLiteEventReader) async throws -> Bool {
        for found in try await reader.allStreams(prefix: "threshold-") {
            if try await reader.fold(found.stream, with: AlertRegister.self).state.isArmed { return true }
        }
        return false
    }

    private func logRemedy(_ error: any Error) -> String {
        guard case StoreError.failed(let failure) = error, failure.code == "log-truncated" else {
            return "event-log verify \(dir); if it is damaged: finops restore BACKUP --replace \(dir)"
        }
        return "finops restore BACKUP --replace \(dir), "
            + "or go on without what is missing: event-log serve --accept-truncation \(dir)"
    }

    private func content(
        _ subject: String, prefix: String, _ problem: String, _ remedy: String, _ reader: SQLiteEventReader
    ) async throws -> Finding {
        let isThere = try await isThere(prefix, reader)
        return Finding(subject: subject, problem: isThere ? nil : problem, remedy: isThere ? nil : remedy)
    }

    private func isThere(_ prefix: String, _ reader: SQLiteEventReader) async throws -> Bool {
        !(try await reader.streams(prefix: prefix, after: nil, limit: 1)).isEmpty
    }

    private func check(_ subject: String, remedy: String, _ body: () throws -> Void) -> Finding {
        do {
            try body()
            return Finding(subject: subject)
        } catch let failure as CommandFailure {
            return Finding(subject: subject, problem: failure.message, remedy: remedy)
        } catch {
            return Finding(subject: subject, problem: "\(error)", remedy: remedy)
        }
    }

    private func checkFreeSpace() throws {
        // Each may lie on a disk of its own.
        let parts = [directory.path, directory.logDirectory, directory.projectionsDirectory, directory.spool]
        for path in parts where access(path, F_OK) == 0 {
            var space = statvfs()
            guard statvfs(path, &space) == 0 else { throw SystemError("look at the disk of \(path)") }
            let free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
            guard free >= Self.freeBytes else {
                throw CommandFailure(
                    .failure,
                    "only \(free >> 20) MiB are free at \(path); what is written there stops when there is no room")
            }
        }
    }
}
