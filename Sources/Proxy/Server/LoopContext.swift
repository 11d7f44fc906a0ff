import Glibc
import Logging
import NIOCore

/// What the connections of one event loop share. Used on that loop alone.
final class LoopContext {
    let loop: any EventLoop
    let configuration: ProxyConfiguration
    let handler: any CallHandling
    let budget: BodyBudget
    let pool: UpstreamPool
    let turnEnd: TurnEnd
    /// For answers of our own, renewed with each sweep.
    private(set) var date = HTTPDate.now()
    private(set) var isStopping = false
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var emptied: EventLoopPromise<Void>?
    private var sweep: RepeatedTask?

    init(
        loop: any EventLoop, configuration: ProxyConfiguration, handler: any CallHandling, budget: BodyBudget,
        trust: UpstreamTrust, logger: Logger
    ) {
        self.loop = loop
        self.configuration = configuration
        self.handler = handler
        self.budget = budget
        turnEnd = TurnEnd(loop: loop)
        pool = UpstreamPool(
            loop: loop, turnEnd: turnEnd, times: configuration.times, trust: trust, logger: logger)
    }

    /// One timer for all connections of the loop: a timer for each request would cost more than looking at all of them.
    func startSweeping() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let pause = configuration.times.sweep
        sweep = loop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in bound.value.sweepNow() }
    }

    private func sweepNow() {
        let now = NIODeadline.now()
        date = HTTPDate.now()
        for connection in connections.values { connection.look(at: now) }
        pool.look(at: now)
    }

    func add(_ connection: ServerConnection) { connections[ObjectIdentifier(connection)] = connection }

    func remove(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if isStopping, connections.isEmpty { finishStop() }
    }

    /// Closes what is idle and lets what runs end.
    /// - Parameter done: fulfilled when no connection is left.
    func stop(_ done: EventLoopPromise<Void>) {
        isStopping = true
        emptied = done
        if connections.isEmpty { return finishStop() }
        for connection in connections.values { connection.stop() }
    }

    /// Ends what still runs.
    func cut() {
        for connection in connections.values { connection.cut() }
    }

    private func finishStop() {
        sweep?.cancel()
        sweep = nil
        pool.closeAll()
        emptied?.succeed(())
        emptied = nil
    }
}

/// The moment as HTTP writes it.
enum HTTPDate {
    static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
