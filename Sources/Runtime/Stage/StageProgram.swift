package import ArgumentParser
import Dispatch
import Foundation
import Glibc
package import Logging
package import Messaging
package import ServiceLifecycle
import UnixSignals

/// The options of a program that runs as a service.
package struct ServiceOptions: ParsableArguments {
    @Flag(name: .customLong("lifeline"), help: "Stop when standard input ends.")
    package var lifeline = false

    @Option(name: .customLong("log-level"), help: "debug, info, notice, warning or error.")
    package var logLevel: String?

    @Option(name: .customLong("log-format"), help: "logfmt or json.")
    package var logFormat: String?

    package init() {}

    var flags: [String: String] {
        [("log_level", logLevel), ("log_format", logFormat)].reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
}

/// What a stage works with.
package struct StageContext: Sendable {
    package let stage: String
    package let directory: StateDirectory
    package let configuration: Configuration
    package let clock: PipelineClock
    package let logger: Logger
    package let health: StageHealth
    /// The sockets of the directory's own log.
    package let endpoints: LogEndpoints
    /// How this stage reaches the log.
    package let link: LogLink
}

/// The life of a program that runs as a service: configuration, logging, health, watchdog, signals, graceful stop.
package enum StageProgram {
    private static let stopLimit = Duration.seconds(8)
    private static let exitLimitSeconds = 10

    /// Runs the services of a stage until it is asked to stop (SIGTERM, SIGINT, end of the lifeline) or one of them fails.
    /// The services are stopped in reverse order; whatever has not ended after 8 s is cancelled, after 10 s left behind.
    /// - Parameter services: makes the services; the stage says `context.health.ready()` itself, when it is.
    /// - Throws: what a service threw.
    package static func run(
        _ stage: String, options: GlobalOptions, service: ServiceOptions,
        services: (StageContext) async throws -> [any Service]
    ) async throws {
        let directory = try options.initialisedDirectory()
        var flags = service.flags
        if options.verbose { flags["log_level"] = "debug" }
        if options.quiet { flags["log_level"] = "error" }
        let configuration = try Configuration.load(directory, flags: flags)
        let manager = ServiceManager()
        let clock = try PipelineClock.load(from: directory)
        let health = StageHealth(stage: stage, clock: clock) { if $0 { manager.ready() } }
        let context = StageContext(
            stage: stage, directory: directory, configuration: configuration, clock: clock,
            logger: .stage(stage, level: configuration.logLevel, format: configuration.logFormat), health: health,
            endpoints: try directory.endpoints(), link: try LogLink.of(directory, pipeline: options.pipeline))
        try await run(context, manager, service, try await services(context))
    }

    private static func run(
        _ context: StageContext, _ manager: ServiceManager, _ service: ServiceOptions, _ services: [any Service]
    ) async throws {
        let socket = try context.directory.healthSocket(stage: context.stage)
        var all: [any Service] = [
            HealthServer(path: socket, health: context.health), IdleMemory(health: context.health),
        ]
        if let interval = manager.watchdogInterval { all.append(WatchdogService(manager: manager, interval: interval)) }
        if service.lifeline { all.append(Lifeline()) }
        all += services
        // Last, because services are stopped from the end: its clock must run while the others stop.
        all.append(StopService(manager: manager, limitSeconds: exitLimitSeconds))
        let quiet = Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
        var configuration = ServiceGroupConfiguration(
            services: all.map {
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = stopLimit
        do {
            context.logger.info("started", metadata: ["pid": "\(getpid())"])
            try await ServiceGroup(configuration: configuration).run()
            context.logger.info("stopped")
        } catch {
            context.logger.error("failed", error: error)
            throw error
        }
    }
}

/// Ends the program's stop: tells the manager that it has begun, and leaves when it takes too long.
private struct StopService: Service {
    let manager: ServiceManager
    let limitSeconds: Int

    func run() async {
        await untilStopped()
        manager.stopping()
        // A service that neither ends nor heeds its cancellation must not keep the lock it holds.
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limitSeconds)) {
            Output.message("error: not stopped within \(limitSeconds) s")
            _exit(ExitStatus.failure.rawValue)
        }
    }
}

/// Tells the service manager that the program is alive: one whose tasks no longer get their turn falls silent, and is
/// started again.
private struct WatchdogService: Service {
    let manager: ServiceManager
    let interval: Duration

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                manager.alive()
                do { try await Task.sleep(for: interval) } catch { return }
            }
        }
    }
}

/// Stops the program when standard input ends: whoever holds the other end is gone or wants us gone.
private struct Lifeline: Service {
    func run() async {
        // A thread, not a dispatch source: see `ChildLines`.
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 { break }
                if count > 0 || errno == EINTR { continue }
                guard errno == EAGAIN else { break }
                var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, -1)
            }
            // The way of every other stop: a service that ended by itself would count as a failure of the group.
            kill(getpid(), SIGTERM)
        }
        await untilStopped()
    }
}
