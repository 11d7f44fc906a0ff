/// A route that the gateway serves because it knows how to meter it. What is not in `all` is refused.
package struct Route: Hashable, Sendable {
    /// What an answer on a route tells about usage.
    package enum Reading: Hashable, Sendable {
        /// Costs nothing and tells nothing: one event with no quantities.
        case none
        /// `usage` with prompt and completion tokens; streams tell it when asked to.
        case chat
        /// `usage` with input and output tokens, in streams inside the last event's `response`.
        case responses
        /// Prompt tokens alone.
        case embeddings
        /// Input and output tokens by text and image; older models only make a number of images.
        case images
        /// Audio and text tokens, or the seconds of the audio.
        case transcription
        /// Nothing in the answer: the characters of the request count.
        case speech
        /// Anthropic's, in which `input_tokens` leaves the cache out.
        case messages
    }

    /// `GET` or `POST`.
    package let method: String
    /// Such as `/v1/responses/{id}`: as keys name the routes they may use, and as events name them.
    package let name: String
    package let dialect: Dialect
    /// As in usage rows: `completions`, `embeddings` … Empty where nothing is metered.
    package let kind: String
    package let reading: Reading
    /// What is asked for when the body names no model; nil where a model must be named.
    package let defaultModel: String?

    fileprivate let segments: [String]

    private init(
        _ method: String, _ name: String, _ dialect: Dialect, _ kind: String, _ reading: Reading,
        defaultModel: String? = nil
    ) {
        self.method = method
        self.name = name
        self.dialect = dialect
        self.kind = kind
        self.reading = reading
        self.defaultModel = defaultModel
        segments = name.split(separator: "/").map(String.init)
    }

    /// Whether calls of it have a body that names a model.
    package var hasBody: Bool { method == "POST" }

    /// Whether it only fetches an answer that was made before, which costs nothing.
    package var fetchesAnswer: Bool { reading == .responses && !hasBody }

    /// Whether an answer is asked for that is made in the background, and fetched later.
    package func answersLater(_ facts: RequestFacts) -> Bool { reading == .responses && facts.isBackground }

    /// Every route there is.
    package static let all: [Route] = [
        Route("POST", "/v1/chat/completions", .openai, "completions", .chat),
        Route("POST", "/v1/responses", .openai, "completions", .responses),
        Route("GET", "/v1/responses/{id}", .openai, "completions", .responses),
        Route("POST", "/v1/responses/input_tokens", .openai, "", .none),
        Route("POST", "/v1/completions", .openai, "completions", .chat),
        Route("POST", "/v1/embeddings", .openai, "embeddings", .embeddings),
        Route("POST", "/v1/moderations", .openai, "moderations", .none, defaultModel: "omni-moderation-latest"),
        Route("POST", "/v1/images/generations", .openai, "images", .images, defaultModel: "dall-e-2"),
        Route("POST", "/v1/images/edits", .openai, "images", .images, defaultModel: "dall-e-2"),
        Route("POST", "/v1/images/variations", .openai, "images", .images, defaultModel: "dall-e-2"),
        Route("POST", "/v1/audio/speech", .openai, "audio_speeches", .speech),
        Route("POST", "/v1/audio/transcriptions", .openai, "audio_transcriptions", .transcription),
        Route("POST", "/v1/audio/translations", .openai, "audio_transcriptions", .transcription),
        Route("GET", "/v1/models", .openai, "", .none),
        Route("GET", "/v1/models/{id}", .openai, "", .none),
        Route("POST", "/v1/messages", .anthropic, "completions", .messages),
        Route("POST", "/v1/messages/count_tokens", .anthropic, "", .none),
        Route("GET", "/v1/models", .anthropic, "", .none),
        Route("GET", "/v1/models/{id}", .anthropic, "", .none),
    ]
}

/// A request's target that a route stands behind.
package struct RouteMatch: Hashable, Sendable {
    package let route: Route
    /// The path behind `/v1`, such as `/chat/completions`, its parameter filled in.
    package let path: String
    /// Behind the question mark; empty without one.
    package let query: String

    /// - Parameters:
    ///   - target: path and query as on the request line. A path that would have to be normalised matches nothing.
    ///   - speaksAnthropic: the request has an `anthropic-version` header, which alone tells the two lists of models apart.
    /// - Returns: nil for a method or path without a meter.
    package init?(method: String, target: String, speaksAnthropic: Bool) {
        if method == "POST", let plain = Self.plain[target] {
            (route, path, query) = (plain.route, plain.path, "")
            return
        }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count == 2 ? parts[1] : ""
        guard target.utf8.count <= 2_048, target.hasPrefix("/v1/"), query.utf8.allSatisfy(Self.isQuery) else {
            return nil
        }
        let segments = parts[0].dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let found = Route.all.first { route in
            route.method == method && Self.matches(route.segments, segments)
                && (!Self.isShared(route) || (route.dialect == .anthropic) == speaksAnthropic)
        }
        guard let found else { return nil }
        route = found
        path = String(parts[0].dropFirst(3))
        self.query = String(query)
    }

    /// Targets that need no taking apart: the routes that calls are made on, without a query.
    private static let plain: [String: (route: Route, path: String)] = Dictionary(
        uniqueKeysWithValues: Route.all.filter { $0.hasBody && !$0.segments.contains("{id}") && !isShared($0) }.map {
            ($0.name, ($0, String($0.name.dropFirst(3))))
        })

    private static func isShared(_ route: Route) -> Bool { route.name.hasPrefix("/v1/models") }

    private static func matches(_ pattern: [String], _ segments: [Substring]) -> Bool {
        pattern.count == segments.count
            && zip(pattern, segments).allSatisfy { $0 == "{id}" ? isParameter($1) : $0 == $1 }
    }

    /// An id has nothing in it that a server could take for structure: no dots alone, no escapes, no slashes.
    private static func isParameter(_ text: Substring) -> Bool {
        (1...200).contains(text.utf8.count) && !text.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
            && text.utf8.allSatisfy { byte in
                isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static func isQuery(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#") && byte != UInt8(ascii: "\\")
    }
}

extension RouteMatch {
    /// Path and query on an upstream. Host, port and everything before the route's own path are the configuration's.
    /// - Parameters:
    ///   - basePath: the path of the upstream's base URL, such as `/v1`, `/openai/v1` or, for deployments, `/openai`.
    ///   - baseQuery: what the base URL has behind a question mark (Azure's `api-version=…`); it goes with every call.
    ///   - deployment: Azure's name for the model, where the path has to name it: see `needsDeployment`.
    package func upstreamTarget(basePath: String, baseQuery: String, deployment: String?) -> String {
        if deployment == nil, baseQuery.isEmpty, query.isEmpty, basePath.utf8.last != UInt8(ascii: "/") {
            return basePath + path
        }
        var target = basePath.last == "/" ? String(basePath.dropLast()) : basePath
        if let deployment { target += "/deployments/" + deployment.pathSegment }
        target += path
        let fixed = Set(baseQuery.split(separator: "&").map(Self.name))
        let asked = query.split(separator: "&").filter { !fixed.contains(Self.name($0)) }.joined(separator: "&")
        let whole = [baseQuery, asked].filter { !$0.isEmpty }.joined(separator: "&")
        return whole.isEmpty ? target : target + "?" + whole
    }

    /// Whether Azure wants the deployment in the path: its routes for a model do, unless the base is the newer `…/v1`.
    package func needsDeployment(basePath: String) -> Bool {
        guard route.hasBody, route.reading != .responses, route.name != "/v1/responses/input_tokens" else {
            return false
        }
        return !basePath.hasSuffix("/v1") && !basePath.hasSuffix("/v1/")
    }

    private static func name(_ pair: Substring) -> Substring { pair.prefix { $0 != "=" } }
}

extension String {
    /// Escaped, so that it stays one segment of a path (RFC 3986).
    fileprivate var pathSegment: String {
        var escaped = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: ".") where self != "." && self != "..": escaped += "."
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                escaped += hex.utf8.count == 1 ? "%0" + hex : "%" + hex
            }
        }
        return escaped
    }
}
