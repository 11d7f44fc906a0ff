import Logging
import NIOCore

/// The connections of one event loop to all upstreams. Used on that loop alone.
final class UpstreamPool {
    private let loop: any EventLoop
    private let turnEnd: TurnEnd
    private let times: ProxyTimes
    private let trust: UpstreamTrust
    private let logger: Logger
    private var hosts: [UpstreamAddress: UpstreamHost] = [:]

    init(loop: any EventLoop, turnEnd: TurnEnd, times: ProxyTimes, trust: UpstreamTrust, logger: Logger) {
        self.loop = loop
        self.turnEnd = turnEnd
        self.times = times
        self.trust = trust
        self.logger = logger
    }

    func send(_ call: UpstreamCall) {
        let address = call.request.upstream
        if let host = hosts[address] { return host.send(call) }
        let host = UpstreamHost(
            address, loop: loop, turnEnd: turnEnd, times: times, trust: trust, logger: logger)
        hosts[address] = host
        host.send(call)
    }

    func look(at now: NIODeadline) {
        for host in hosts.values { host.look(at: now) }
    }

    func closeAll() {
        for host in hosts.values { host.look(at: .distantFuture) }
    }
}
