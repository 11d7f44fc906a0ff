import Foundation
import Hummingbird
import JSON

extension SandboxServer {
    /// The paths for whoever drives the sandbox:
    /// - `GET|POST|DELETE /sandbox/faults`: what will go wrong · add to it · nothing more.
    /// - `GET|DELETE /sandbox/requests`: what the provider has been asked, without keys.
    /// - `GET /sandbox/expected?from&to[&by=project,model][&zone][&at]`: what a pipeline must come to.
    /// - `GET|DELETE /sandbox/slack`, `…/mail`, `…/sentry`: what arrived there, and what was turned away · forget it.
    /// - `GET|PUT /sandbox/clock`: the time that decides what is published; `{"now":"2026-11-12T00:00:00Z"}` fixes it.
    func respondToControl(_ request: Request) async throws -> Response {
        switch (request.method, request.uri.path) {
        case (.get, "/sandbox/faults"): return json(await control.pendingFaults)
        case (.post, "/sandbox/faults"):
            guard let fault = Fault(try await body(of: request)) else { return json(["error": "no such kind"], 400) }
            await control.add(fault)
            return json(fault.json)
        case (.delete, "/sandbox/faults"):
            await control.clearFaults()
            return json([])
        case (.get, "/sandbox/requests"): return json(await control.notedRequests)
        case (.delete, "/sandbox/requests"):
            await control.clearRequests()
            return json([])
        case (.get, "/sandbox/expected"): return await expected(request)
        case (.get, "/sandbox/clock"): return json(["now": .integer(await clock.now)])
        case (.put, "/sandbox/clock"):
            guard let now = try await body(of: request)["now"]?.string.flatMap(SandboxClock.seconds(rfc3339:)) else {
                return json(["error": "now is an RFC 3339 time"], 400)
            }
            await clock.set(.fixed(now))
            return json(["now": .integer(now)])
        default: return await receiver(request) ?? json(["error": "no such path"], 404)
        }
    }

    private func receiver(_ request: Request) async -> Response? {
        guard let receiver = Inbox.Receiver(rawValue: String(request.uri.path.dropFirst("/sandbox/".count))) else {
            return nil
        }
        if request.method == .delete { await receivers.inbox.clear(receiver) }
        return json(await receivers.inbox.document(receiver))
    }

    private func expected(_ request: Request) async -> Response {
        let query = request.uri.queryParameters
        func text(_ name: String) -> String? { query[name[...]].map(String.init) }
        let by = (text("by") ?? "").split(separator: ",").map { Expected.By(rawValue: String($0)) }
        guard let from = text("from").flatMap({ CivilDay($0) }), let to = text("to").flatMap({ CivilDay($0) }),
            let zone = TimeZone(identifier: text("zone") ?? "Asia/Seoul"), !by.contains(where: { $0 == nil })
        else { return json(["error": "from and to are days; by is project, key, model, tier, batch or day"], 400) }
        let asked = text("at").flatMap(SandboxClock.seconds(rfc3339:))
        let clockNow = await clock.now
        let expected = Expected(provider: provider, from: from, to: to, zone: zone, now: asked ?? clockNow)
        return json(expected.report(by: by.compactMap { $0 }))
    }

    private func body(of request: Request) async throws -> JSONValue {
        let buffer = try await request.body.collect(upTo: 65_536)
        return try JSONValue.parse(Array(buffer.readableBytesView))
    }

    func json(_ value: JSONValue, _ status: Int = 200) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: value.text + "\n")))
    }
}
