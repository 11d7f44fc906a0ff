import CCurl

/// One request and what arrives for it. libcurl's callbacks get this object; it outlives the blocking call.
final class CurlExchange {
    private let settings: TransferSettings
    private let cancelled: CancellationFlag
    private var headers: [HTTPHeader] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var tooLarge = false
    private var reason = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))

    init(settings: TransferSettings, cancelled: CancellationFlag) {
        self.settings = settings
        self.cancelled = cancelled
    }

    func run(_ request: HTTPRequest, on handle: borrowing CurlHandle) throws(TransferFailure) -> HTTPResponse {
        let host = try URLHost(request.url)
        let curl = handle.pointer
        curl_easy_reset(curl)  // Options go; the connection and its TLS session stay.
        let list = try CurlList(headersOf: request)
        try configure(curl, request, host: host, headers: list)
        let result = reason.withUnsafeMutableBufferPointer { buffer in
            finops_curl_set_error_buffer(curl, buffer.baseAddress)
            let result = withExtendedLifetime(self) { curl_easy_perform(curl) }
            finops_curl_set_error_buffer(curl, nil)
            return result
        }
        finops_curl_set_headers(curl, nil)
        guard result == CURLE_OK else {
            throw failure(result, host: host.name, wasSent: finops_curl_request_bytes(curl) > 0)
        }
        return HTTPResponse(status: finops_curl_response_code(curl), headers: headers, body: body)
    }

    private func configure(
        _ curl: UnsafeMutableRawPointer, _ request: HTTPRequest, host: URLHost, headers: borrowing CurlList
    ) throws(TransferFailure) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        var results = [
            finops_curl_set_http_only(curl),
            setURL(curl, request),
            finops_curl_set_text(curl, CURLOPT_CUSTOMREQUEST, request.method),
            finops_curl_set_text(curl, CURLOPT_USERAGENT, settings.userAgent),
            finops_curl_set_text(curl, CURLOPT_ACCEPT_ENCODING, ""),
            finops_curl_set_number(curl, CURLOPT_FOLLOWLOCATION, 0),
            // By itself libcurl sends a request again that a kept connection has lost.
            finops_curl_set_number(curl, CURLOPT_FRESH_CONNECT, request.isRepeatable ? 0 : 1),
            finops_curl_set_number(curl, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS)),
            finops_curl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, settings.lowSpeedBytesPerSecond),
            finops_curl_set_number(curl, CURLOPT_LOW_SPEED_TIME, settings.lowSpeedSeconds),
            finops_curl_set_headers(curl, headers.list),
            finops_curl_set_body_sink(curl, takeBody, context),
            finops_curl_set_header_sink(curl, takeHeader, context),
            finops_curl_set_progress(curl, checkProgress, context),
        ]
        results += settings.apply(to: curl)
        if host.isLoopback {
            results.append(finops_curl_set_text(curl, CURLOPT_PROXY, ""))
        } else if let proxy = settings.proxy {
            results.append(finops_curl_set_text(curl, CURLOPT_PROXY, proxy))
        }
        if let body = request.body {
            results.append(body.withUnsafeBytes { finops_curl_set_body(curl, $0.baseAddress, $0.count) })
        }
        if let refused = results.first(where: { $0 != CURLE_OK }) {
            throw TransferFailure(
                .invalidRequest, curlCode: Int(refused.rawValue), message: "libcurl refuses an option: \(text(refused))"
            )
        }
    }

    private func setURL(_ curl: UnsafeMutableRawPointer, _ request: HTTPRequest) -> CURLcode {
        guard let path = request.secretPath else { return finops_curl_set_text(curl, CURLOPT_URL, request.url) }
        return path.withCString(after: request.url) { finops_curl_set_text(curl, CURLOPT_URL, $0) }
    }

    fileprivate func take(body bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= settings.responseBytes else {
            tooLarge = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    fileprivate func take(header bytes: UnsafeRawBufferPointer) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= settings.headerBytes else {
            tooLarge = true
            return 0
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            headers = []  // A 100 Continue or a proxy's answer came first; only the last answer counts.
        } else if let colon = line.firstIndex(of: ":") {
            headers.append(HTTPHeader(line[..<colon].trimmed, line[line.index(after: colon)...].trimmed))
        }
        return bytes.count
    }

    fileprivate var shallStop: Bool { cancelled.isRaised }

    private func failure(_ result: CURLcode, host: String, wasSent: Bool) -> TransferFailure {
        let detail = reason.withUnsafeBufferPointer { buffer in
            buffer.first == 0 ? text(result) : String(cString: buffer.baseAddress!)
        }
        let (kind, what): (TransferFailure.Kind, String) =
            switch result {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
                (.cannotResolve, "the name \(host) cannot be resolved")
            case CURLE_COULDNT_CONNECT: (.cannotConnect, "no connection to \(host)")
            case CURLE_OPERATION_TIMEDOUT: (.timedOut, "\(host) does not answer in time")
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_USE_SSL_FAILED:
                (.tlsFailed, "no trusted TLS connection to \(host)")
            case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2_STREAM, CURLE_HTTP2,
                CURLE_BAD_CONTENT_ENCODING, CURLE_SEND_ERROR:
                (.truncated, "\(host) ended the connection inside the answer")
            case CURLE_WRITE_ERROR where tooLarge:
                (.tooLarge, "the answer of \(host) is larger than \(settings.responseBytes) bytes")
            case CURLE_ABORTED_BY_CALLBACK: (.cancelled, "the request to \(host) was cancelled")
            // So libcurl calls an answer that is no HTTP, too.
            case CURLE_UNSUPPORTED_PROTOCOL where wasSent: (.truncated, "\(host) does not answer in HTTP")
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: (.invalidRequest, "the address is not usable")
            default: (.other, "the request to \(host) failed")
            }
        return TransferFailure(
            kind, curlCode: Int(result.rawValue), message: "\(what): \(detail)", requestWasSent: wasSent)
    }

    private func text(_ code: CURLcode) -> String { String(cString: curl_easy_strerror(code)) }
}

// libcurl calls these on the thread that is inside `curl_easy_perform`; the context is the exchange that waits there.

private func exchange(_ context: UnsafeMutableRawPointer?) -> CurlExchange? {
    context.map { Unmanaged<CurlExchange>.fromOpaque($0).takeUnretainedValue() }
}

private func takeBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    exchange(context)?.take(body: UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
}

private func takeHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    exchange(context)?.take(header: UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
}

private func checkProgress(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> CInt {
    exchange(context)?.shallStop == true ? 1 : 0
}
