import JSON

/// What the health endpoint answers: a pure function of a request line and the stage's health.
struct HealthResponder: Sendable {
    let health: StageHealth

    /// - Parameter head: the request up to the empty line.
    /// - Returns: the whole HTTP/1.1 answer; the connection is closed after it.
    func answer(to head: String) -> String {
        let parts = head.prefix { $0 != "\r\n" && $0 != "\n" }.split(separator: " ")
        guard parts.count == 3, parts[2].hasPrefix("HTTP/1.") else { return response(400, "bad request\n") }
        guard parts[0] == "GET" || parts[0] == "HEAD" else { return response(405, "only GET\n") }
        let target = parts[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let text =
            switch target[0] {
            case "/livez": response(200, "ok\n")
            case "/readyz": readiness(isVerbose: target.count == 2 && target[1].hasPrefix("verbose"))
            case "/metrics":
                response(200, health.exposition, type: "text/plain; version=0.0.4; charset=utf-8")
            default: response(404, "not found\n")
            }
        return parts[0] == "HEAD" ? String(text[..<(headEnd(text) ?? text.endIndex)]) : text
    }

    private func readiness(isVerbose: Bool) -> String {
        let status = health.isReady ? 200 : 503
        if isVerbose { return response(status, health.document.text + "\n", type: "application/json") }
        return response(status, health.isReady ? "ok\n" : "not ready\n")
    }

    private func response(_ status: Int, _ body: String, type: String = "text/plain; charset=utf-8") -> String {
        let reasons = [200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"]
        return "HTTP/1.1 \(status) \(reasons[status] ?? "Service Unavailable")\r\nContent-Type: \(type)\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n" + body
    }
}
