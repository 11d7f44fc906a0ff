import CLimits
import EventLog
import FinOps
import Foundation
import Glibc
import Runtime
import Storage

/// What the gateway promises whatever happens: how fast a key is off, and that no use is lost or counted twice.
enum GatewayPromises {
    static func figures(_ stand: GatewayStand, _ bench: Bench) async throws -> [Result] {
        [try await switchOff(stand, bench), try await deliveries(stand, bench)]
    }

    // MARK: A key that is disabled

    private static let ratePerGateway: Int32 = 1_000
    private static let connections: Int32 = 8

    /// Milliseconds between the moment that the log decided and the last answer that a client with that key was given, by
    /// either of two gateways.
    private static func switchOff(_ stand: GatewayStand, _ bench: Bench) async throws -> Result {
        let directory = stand.log.directory
        let (second, port) = try await GatewayStand.startGateway(in: directory, named: "gateway-2")
        do {
            var delays: [Double] = []
            for _ in 0..<(bench.quick ? 3 : 15) {
                delays += try await delaysOfOneKey(directory, stand.log, [stand.gatewayPort, port])
            }
            _ = await second.stop()
            let samples = Samples(delays)
            return Result(
                figure: "gateway key disabled → last accepted request, p99", value: Samples([samples.percentile(0.99)]),
                unit: "ms", limit: nil, bound: .atMost(500),
                note:
                    "two gateways, \(2 * ratePerGateway) requests/s; p50 \(String(format: "%.1f", samples.median)) ms of "
                    + "\(delays.count) measurements")
        } catch {
            _ = await second.stop()
            throw error
        }
    }

    private static func delaysOfOneKey(
        _ directory: StateDirectory, _ log: LogProcess, _ ports: [Int32]
    ) async throws -> [Double] {
        let (id, key) = try await GatewayStand.issueKey(directory)
        let request = GatewayStand.request(key, streams: false)
        for port in ports { try await untilAccepted(port, request) }
        async let first = watch(ports[0], connections, ratePerGateway, 1.5, request)
        async let second = watch(ports[1], connections, ratePerGateway, 1.5, request)
        try await Task.sleep(for: .milliseconds(300))
        try await GatewayStand.finops(["key", "disable", id, "--reason", "benchmark", "-q"], directory)
        let seen = try await [first, second]
        guard let decided = try decision(on: id, in: log) else { throw StandFailed(what: "no key was disabled") }
        return try seen.map { watched in
            guard watched.accepted > 0, watched.refused > 0 else {
                throw StandFailed(what: "a gateway refused \(watched.refused) and accepted \(watched.accepted) calls")
            }
            return max(0, Double(watched.lastAccepted - decided.microseconds) / 1_000)
        }
    }

    /// A key is known to every gateway some milliseconds after it was issued.
    private static func untilAccepted(_ port: Int32, _ request: String) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while try await watch(port, 1, 100, 0.03, request).accepted == 0 {
            guard ContinuousClock.now < deadline else { throw StandFailed(what: "a new key is not accepted") }
        }
    }

    private static func decision(on key: String, in log: LogProcess) throws -> Timestamp? {
        var decided: Timestamp?
        try forEach(in: log, ["key.disabled"]) { event, recorded in
            if case .keyDisabled(let disabled) = event, disabled.key == key { decided = recorded.recorded }
        }
        return decided
    }

    // MARK: A gateway that is killed

    /// Calls whose whole answer a client had are in the log once each, however often the gateway was killed meanwhile.
    private static func deliveries(_ stand: GatewayStand, _ bench: Bench) async throws -> Result {
        let directory = stand.log.directory
        let request = GatewayStand.request(stand.key, streams: false)
        let kills = bench.quick ? 5 : 50
        let start = try SQLiteLogScanner(files: stand.log.files).head()
        var answered: Set<String> = []
        for kill in 0..<kills {
            let (gateway, port) = try await GatewayStand.startGateway(in: directory, named: "gateway-3")
            async let seen = watch(port, 16, 0, 5, request)
            // Never at the same moment of its life.
            try await Task.sleep(for: .milliseconds(60 + kill * 37 % 180))
            gateway.send(SIGKILL)
            _ = await gateway.waitForExit()
            answered.formUnion(try await seen.calls)
        }
        let (gateway, _) = try await GatewayStand.startGateway(in: directory, named: "gateway-3")
        var recorded = try recordedCalls(in: stand.log, after: start)
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline, !answered.allSatisfy({ recorded[$0] != nil }) {
            try await Task.sleep(for: .milliseconds(200))
            recorded = try recordedCalls(in: stand.log, after: start)
        }
        _ = await gateway.stop()
        recorded = try recordedCalls(in: stand.log, after: start)
        let lost = answered.count { recorded[$0] == nil }
        let doubled = recorded.values.reduce(0) { $0 + $1 - 1 }
        return Result(
            figure: "gateway usage events lost or doubled, kill -9 × \(kills) under load",
            value: Samples([Double(lost + doubled)]), unit: "events", limit: nil, bound: .atMost(0),
            note: "\(answered.count) answered calls, \(recorded.count) recorded; lost \(lost), doubled \(doubled)")
    }

    /// How often each call of that gateway is in the log.
    private static func recordedCalls(in log: LogProcess, after start: Position) throws -> [String: Int] {
        var calls: [String: Int] = [:]
        try forEach(in: log, after: start, ["call.recorded"]) { event, _ in
            if case .callRecorded(let call) = event, call.gateway == "gateway-3" { calls[call.call, default: 0] += 1 }
        }
        return calls
    }

    private static func forEach(
        in log: LogProcess, after start: Position = .start, _ types: Set<EventType>,
        _ body: (FinOpsEvent, RecordedEvent) -> Void
    ) throws {
        let scanner = try SQLiteLogScanner(files: log.files)
        var position = start
        while true {
            let page = try scanner.read(after: position, limit: EventLimits.readEvents, types: types)
            for recorded in page.events {
                if let event = try EventCatalogue.decode(recorded.event) { body(event, recorded) }
            }
            if page.scannedThrough == position { return }
            position = page.scannedThrough
        }
    }

    // MARK: The load

    private struct Watched: Sendable {
        var accepted: Int64 = 0
        var refused: Int64 = 0
        /// Microseconds since 1970.
        var lastAccepted: Int64 = 0
        var calls: [String] = []
    }

    private static let callBytes = 41

    /// - Parameter rate: a second; 0 for as many as are answered.
    private static func watch(
        _ port: Int32, _ connections: Int32, _ rate: Int32, _ seconds: Double, _ request: String
    ) async throws -> Watched {
        let (code, watched): (Int32, Watched) = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var names = [CChar](repeating: 0, count: callBytes * 200_000)
                var result = limit_http_watch()
                var watched = Watched()
                let code = names.withUnsafeMutableBufferPointer { names in
                    result.calls = names.baseAddress
                    result.calls_room = names.count
                    let code = limit_http_watch(port, connections, rate, seconds, request, &result)
                    let held = names.prefix(result.calls_held)
                    watched.calls = stride(from: 0, to: held.count, by: callBytes).map { start in
                        String(decoding: held[start..<start + callBytes].map { UInt8(bitPattern: $0) }, as: UTF8.self)
                    }
                    return code
                }
                (watched.accepted, watched.refused) = (result.accepted, result.refused)
                watched.lastAccepted = result.last_accepted
                continuation.resume(returning: (code, watched))
            }
        }
        guard code == 0 else { throw LimitFailed(what: "load on port \(port)", code: Double(code)) }
        return watched
    }
}
