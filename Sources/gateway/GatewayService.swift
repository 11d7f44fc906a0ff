import EventLog
import FinOps
import Glibc
import Logging
import Messaging
import NIOCore
import Proxy
import Runtime
import ServiceLifecycle
import Spool
import Stages
import Storage

/// The gateway's life: first it knows what the log knows, then it serves, and at the end nothing it has kept is lost.
struct GatewayService: Service {
    let name: String
    let context: StageContext
    private let terms: BudgetTerms

    init(name: String, context: StageContext) {
        self.name = name
        self.context = context
        terms = BudgetTerms(unpricedPerMillion: context.configuration.gatewayUnpricedPerMillion)
    }

    func run() async throws {
        let directory = context.directory.gateway(name)
        try makePrivateDirectory(directory)
        let spool = try Spool(directory)
        report(spool.recovery)
        let underWay = CallsUnderWay(directory: directory, gateway: name, seconds: terms.reservationSeconds)
        underWay.open(now: context.clock.now().seconds)
        if let failure = underWay.failure {
            context.logger.error("calls under way are not written down", metadata: ["error": "\(failure)"])
        }
        do { try await run(spool, SnapshotFile(directory + "/state"), underWay) } catch {
            await spool.close()
            throw error
        }
        await spool.close()
    }

    private func report(_ recovery: SpoolRecovery) {
        for damage in recovery.damage {
            context.logger.error("a place of the spool cannot be read", metadata: ["place": "\(damage)"])
        }
        if recovery.missing > 0 {
            context.logger.error(
                "records of the spool are not there: what their calls used is lost to the log",
                metadata: ["missing": "\(recovery.missing)", "spool": "\(context.directory.gateway(name))"])
        }
        guard recovery.records > 0 || recovery.tornBytes > 0 else { return }
        context.logger.info(
            "spool opened", metadata: ["records": "\(recovery.records)", "torn": "\(recovery.tornBytes)"])
    }

    private func declareMetrics() {
        let metrics = context.health.metrics
        CallTally.declare(in: metrics)
        metrics.declare("finops_spool_waiting_records", .gauge, help: "Records that the log does not have yet.")
        metrics.declare("finops_spool_bytes", .gauge, help: "Bytes of the spool's files.")
        metrics.declare("finops_spool_refused_records_total", .counter, help: "Records that the log refused for good.")
        metrics.declare(
            "finops_gateway_unreadable_events", .gauge, help: "Events since the start that were passed over unread.")
        metrics.declare("finops_spool_oldest_seconds", .gauge, help: "Age of the oldest record that waits.")
        metrics.declare(
            "finops_gateway_unwritten_calls_total", .counter,
            help: "Calls under way for which there was no room: a kill would have lost them.")
        metrics.declare("finops_spool_lost_records_total", .counter, help: "Records that could not be kept anywhere.")
        metrics.declare(
            "finops_spool_missing_records", .gauge,
            help: "Records between the first and the last that were not there when the spool was opened.")
    }

    private func run(
        _ spool: Spool, _ snapshots: SnapshotFile, _ underWay: CallsUnderWay
    ) async throws {
        declareMetrics()
        context.health.metrics.set("finops_spool_missing_records", Double(spool.recovery.missing))
        let (clock, configuration, logger) = (context.clock, context.configuration, context.logger)
        let now: @Sendable () -> Timestamp = { clock.now() }
        let keeper = UsageKeeper(
            spool, underWay, closesWhenFull: configuration.gatewayClosesWhenFull, logger: logger)
        let ended = try EndedCalls(keeper, underWay)
        defer { ended.close() }
        let vault = VaultDoor(context.directory, gateway: name, keeper: keeper, logger: logger, now: now)
        let requests = LogRequests()
        let admission = Admission(
            gateway: name, terms: terms, contact: configuration.gatewayContact, zone: configuration.zone,
            authorities: configuration.gatewayAuthorities, requests: requests, now: now,
            secretsChanged: { vault.change.yield() })
        let logDesk = LogDesk(admission, requests, logger: logger, now: now)
        let conditions = ConditionDesk(gateway: name, recovery: spool.recovery, logger: logger, now: now)

        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        let store = RemoteEventStore(context.link.options, reader: context.link.isElsewhere ? nil : file)
        let reader: any EventReader = context.link.isElsewhere ? store : file
        defer { store.close() }

        let readiness = Readiness()
        let subscription = subscription(admission, spool, snapshots, store, readiness)
        let drainer = drainer(spool, store, now)
        let desk = CallDesk(
            .init(
                gateway: name, bodyLimit: configuration.gatewayMaxBody, grace: configuration.gatewayLogGrace,
                closesWithoutLog: configuration.gatewayClosesWithoutLog),
            admission: admission, keeper: keeper, ended: ended, underWay: underWay, logDesk: logDesk,
            contact: subscription.contact, now: now)
        let work = Work(
            admission: admission, keeper: keeper, ended: ended, underWay: underWay, vault: vault, logDesk: logDesk,
            conditions: conditions, desk: desk, readiness: readiness, spool: spool)

        let subscriptions = LiveSubscription(context.link.options, reader: reader)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await subscription.run(subscriptions) }
            // Not before: what has been delivered goes from the spool, and may not have come back from the log yet.
            group.addTask { if await readiness.untilSettled() { try await drainer.run() } }
            group.addTask { await logDesk.run(store) }
            group.addTask { await conditions.run(store) }
            group.addTask { for await _ in vault.changes { await vault.fetch(admission, desk) } }
            group.addTask { try await tick(work) }
            group.addTask { try await serve(work) }
            // Whichever ends first ends all: serving, when the program is asked to stop; the others, when they fail.
            let first = await group.nextResult()
            group.cancelAll()
            // What the others say about being stopped is no failure.
            while await group.nextResult() != nil {}
            if case .failure(let error)? = first, !(error is CancellationError) { throw error }
        }
    }

    private func subscription(
        _ admission: Admission, _ spool: Spool, _ snapshots: SnapshotFile, _ store: RemoteEventStore,
        _ readiness: Readiness
    ) -> GatewaySubscription {
        let health = context.health
        return GatewaySubscription(
            .init(gateway: name, types: Admission.types), sink: admission, spool: spool, snapshots: snapshots,
            ask: { () async throws(StoreError) in try await store.ping() }, logger: context.logger, now: { wallTime() },
            onProgress: { progress in
                health.consumed("admission", through: progress.handled, head: progress.head)
                health.metrics.set("finops_gateway_unreadable_events", Double(progress.unreadable))
                readiness.unreadable = progress.unreadable
                if progress.isCurrent, readiness.becomesCurrent() { admission.beginSpending() }
                if progress.isReady { readiness.mayServe() }
            })
    }

    private func drainer(_ spool: Spool, _ store: RemoteEventStore, _ now: @escaping @Sendable () -> Timestamp)
        -> SpoolDrainer
    {
        let health = context.health
        return SpoolDrainer(
            gateway: name, spool: spool, store: store, logger: context.logger, now: now,
            onProgress: { progress in
                health.metrics.set("finops_spool_waiting_records", Double(progress.waiting))
                health.metrics.set("finops_spool_bytes", Double(progress.bytes))
                health.metrics.set("finops_spool_refused_records_total", Double(progress.refused))
                let age = progress.oldest.map { max(0, now().seconds - $0.seconds) } ?? 0
                health.metrics.set("finops_spool_oldest_seconds", Double(age))
            })
    }

    /// What the parts of a running gateway have in common.
    struct Work: Sendable {
        let admission: Admission
        let keeper: UsageKeeper
        let ended: EndedCalls
        let underWay: CallsUnderWay
        let vault: VaultDoor
        let logDesk: LogDesk
        let conditions: ConditionDesk
        let desk: CallDesk
        let readiness: Readiness
        let spool: Spool
    }

    private func tick(_ work: Work) async throws {
        let metrics = context.health.metrics
        while true {
            try await Task.sleep(for: .seconds(1))
            if work.desk.isLogAway { work.admission.logIsAway() }
            work.logDesk.tick()
            await work.keeper.tryAgain()
            if !work.admission.lackingCredentials.isEmpty, await work.vault.isDue { work.vault.change.yield() }
            work.conditions.look(work.keeper.failure, policy: work.keeper.policy, lost: work.keeper.lost)
            work.desk.tally.show(in: metrics)
            metrics.set("finops_spool_lost_records_total", Double(work.keeper.lost))
            metrics.set("finops_gateway_unwritten_calls_total", Double(work.underWay.unwritten))
            guard work.readiness.isServing else { continue }
            if work.underWay.failure != nil {
                work.underWay.open(now: context.clock.now().seconds)
                if work.underWay.failure == nil { try tellOfCutShort(work) }
            }
            tellHealth(work)
        }
    }

    private func tellHealth(_ work: Work) {
        if let failure = work.underWay.failure {
            context.health.notReady(
                "calls under way cannot be written down, and a kill would lose them ("
                    + (work.keeper.closesWhenFull
                        ? "no call is let through, gateway_spool_full: fail-closed"
                        : "calls go on, gateway_spool_full: fail-open") + "): \(failure)")
        } else if let failure = work.keeper.failure {
            context.health.notReady("what calls use cannot be kept (\(work.keeper.policy)): \(failure)")
        } else if work.desk.isOutOfDate {
            context.health.notReady(
                "the log has not been heard of for longer than gateway_log_grace: "
                    + (context.configuration.gatewayClosesWithoutLog
                        ? "no call is let through (gateway_log_lost: fail-closed)"
                        : "calls go on with the keys and limits of then (gateway_log_lost: fail-open)"))
        } else if work.readiness.unreadable > 0 {
            context.health.notReady(
                "events about keys, limits or calls cannot be read (\(work.readiness.unreadable)), and are not in force: "
                    + "the gateway's log names them; install the version that wrote them")
        } else if work.desk.isWithoutKeys {
            context.health.notReady("the vault does not open, so that no key is known; finops doctor says why")
        } else {
            context.health.ready()
        }
    }

    private func serve(_ work: Work) async throws {
        guard await work.readiness.untilItMayServe() else { return }
        try await settleUnlogged(work)
        try tellOfCutShort(work)
        if work.readiness.settles() { work.admission.beginSpending() }
        await firstSecrets(work)
        let (listen, tls) = (context.configuration.gatewayListen, context.configuration.gatewayTLS)
        var configuration = ProxyConfiguration(
            listen: ListenAddress(host: listen.host, port: listen.port),
            tls: tls.map { ProxyTLS(certificate: $0.certificate, key: $0.key) })
        let silence = TimeAmount.seconds(context.configuration.gatewayUpstreamTimeout.components.seconds)
        (configuration.times.firstByte, configuration.times.idle) = (silence, .nanoseconds(silence.nanoseconds / 2))
        configuration.limits.bodyBytes = context.configuration.gatewayMaxBody
        configuration.limits.allBodiesBytes = max(96 << 20, context.configuration.gatewayMaxBody)
        let server = try await ProxyServer.start(configuration, handler: work.desk, logger: context.logger)
        context.logger.info("listening", metadata: ["address": "\(server.url)"])
        context.health.listening(at: server.url)
        work.readiness.serves()
        tellHealth(work)
        await untilStopped()
        work.readiness.serves(false)
        context.health.notReady("stopping")
        try await server.stop(within: .seconds(6))
        work.ended.close()
        await work.keeper.tryAgain()
        let unkept = work.keeper.waiting
        if unkept.lost > 0 {
            context.logger.error(
                "what calls used is lost: it waited in memory, and the disk takes nothing",
                metadata: ["records": "\(unkept.lost)"])
        }
        if unkept.found > 0 {
            context.logger.error(
                "what calls used is recorded by the next start: the disk takes nothing",
                metadata: ["records": "\(unkept.found)"])
        }
        // What the log does not take in this moment it is given at the next start.
        let deadline = ContinuousClock.now + .seconds(1)
        while work.spool.status.waiting > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Applications hear of a vault that does not open, and not of nobody: a key service that hangs holds up the start for a
    /// moment only, and the stop not at all.
    private func firstSecrets(_ work: Work) async {
        work.vault.change.yield()
        let deadline = ContinuousClock.now + .seconds(5)
        await cancelWhenGracefulShutdown {
            while await !work.vault.hasTried, ContinuousClock.now < deadline {
                do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
            }
        }
    }
}
