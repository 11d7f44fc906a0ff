import CCurl
import Secret

/// One message on its way to a mail server. libcurl's callbacks get this object; it outlives the blocking call.
final class MailExchange {
    private let mail: Mail
    private let server: MailServer
    private let settings: TransferSettings
    private let cancelled: CancellationFlag
    private var handedOver = 0
    private var dialogue = MailDialogue()
    private var left: ContinuousClock.Instant?
    private var reason = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))

    /// For the goodbye, which libcurl sends after a time-out, too, and waits for beyond every other limit.
    private static let goodbye = Duration.seconds(2)

    init(_ mail: Mail, to server: MailServer, settings: TransferSettings, cancelled: CancellationFlag) {
        self.mail = mail
        self.server = server
        self.settings = settings
        self.cancelled = cancelled
    }

    func run(on handle: borrowing CurlHandle) throws(MailFailure) -> MailReceipt {
        try MailRules.check(mail)
        let curl = handle.pointer
        curl_easy_reset(curl)
        var recipients = CurlList()
        for recipient in mail.recipients {
            guard recipients.append(Array(recipient.utf8)) else {
                throw MailFailure(.other, message: "no memory for a recipient")
            }
        }
        try configure(curl, recipients: recipients)
        let result = reason.withUnsafeMutableBufferPointer { buffer in
            finops_curl_set_error_buffer(curl, buffer.baseAddress)
            let result = withExtendedLifetime(self) { curl_easy_perform(curl) }
            finops_curl_set_error_buffer(curl, nil)
            return result
        }
        curl_easy_reset(curl)  // It must not keep the list, nor this object.
        return try receipt(result)
    }

    private func configure(
        _ curl: UnsafeMutableRawPointer, recipients: borrowing CurlList
    ) throws(MailFailure) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let needsStartTLS = !server.isTLSFromTheStart && !server.mayBePlain
        var results = [
            finops_curl_set_mail_only(curl),
            finops_curl_set_text(curl, CURLOPT_URL, server.url),
            finops_curl_set_text(curl, CURLOPT_PROXY, ""),  // Mail goes straight to its server.
            finops_curl_set_number(
                curl, CURLOPT_USE_SSL, Int((needsStartTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE).rawValue)),
            // A message an hour: its connection would be dead by the next one.
            finops_curl_set_number(curl, CURLOPT_FRESH_CONNECT, 1),
            finops_curl_set_number(curl, CURLOPT_FORBID_REUSE, 1),
            finops_curl_set_text(curl, CURLOPT_MAIL_FROM, mail.sender),
            finops_curl_set_recipients(curl, recipients.list),
            finops_curl_set_source(curl, giveMessage, context, mail.message.count),
            finops_curl_set_dialogue_sink(curl, takeDialogue, context),
            finops_curl_set_progress(curl, checkMailProgress, context),
        ]
        results += settings.apply(to: curl)
        if let login = server.login {
            results.append(finops_curl_set_text(curl, CURLOPT_USERNAME, login.user))
            results.append(login.password.withCString { finops_curl_set_text(curl, CURLOPT_PASSWORD, $0) })
        }
        if let refused = results.first(where: { $0 != CURLE_OK }) {
            throw MailFailure(.other, message: "libcurl refuses an option: \(text(refused))")
        }
    }

    fileprivate func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let piece = mail.message[handedOver...].prefix(buffer.count)
        buffer.copyBytes(from: piece)
        handedOver += piece.count
        return piece.count
    }

    fileprivate func said(_ command: String) {
        dialogue.said(command)
        if dialogue.hasLeft, left == nil { left = .now }
    }

    fileprivate func heard(_ line: String) { dialogue.heard(line) }

    fileprivate var shallStop: Bool {
        if let left { return left.duration(to: .now) > Self.goodbye }
        // What has its answer is not cancelled any more.
        return cancelled.isRaised && dialogue.answer == nil
    }

    /// Once the message has its answer, nothing else counts: a goodbye that fails takes nothing back.
    private func receipt(_ result: CURLcode) throws(MailFailure) -> MailReceipt {
        if let answer = dialogue.answer {
            if answer.isAcceptance { return MailReceipt(reply: redacted(answer), refused: refusals) }
            throw refused(.refused, answer, of: "the message")
        }
        if let reply = dialogue.reply, reply.isRefusal {
            switch dialogue.stage {
            case .login: throw refused(.loginRefused, reply, of: "the login")
            case .recipient where mail.recipients.count > 1: throw refused(.refused, reply, of: "every recipient")
            case .recipient: throw refused(.refused, reply, of: "the recipient")
            case .greeting: throw refused(.refused, reply, of: "the connection")
            case let stage: throw refused(.refused, reply, of: stage.rawValue)
            }
        }
        throw failure(result)
    }

    private var refusals: [Int: SMTPReply] {
        var refusals: [Int: SMTPReply] = [:]
        for (number, reply) in dialogue.recipients.enumerated() where reply.isRefusal {
            refusals[number] = redacted(reply)
        }
        return refusals
    }

    private func refused(_ kind: MailFailure.Kind, _ reply: SMTPReply, of what: String) -> MailFailure {
        let reply = redacted(reply)
        return MailFailure(
            kind, reply: reply, recipients: dialogue.recipients.map(redacted),
            message: "\(server.host.name) refused \(what): \(reply)")
    }

    private func failure(_ result: CURLcode) -> MailFailure {
        let host = server.host.name
        let (kind, what): (MailFailure.Kind, String) =
            switch result {
            case CURLE_COULDNT_RESOLVE_HOST: (.cannotResolve, "the name \(host) cannot be resolved")
            case CURLE_COULDNT_CONNECT: (.cannotConnect, "no connection to \(host)")
            case CURLE_OPERATION_TIMEDOUT: (.timedOut, "\(host) does not answer in time")
            case CURLE_USE_SSL_FAILED: (.tlsFailed, "\(host) offers no STARTTLS, without which nothing is sent")
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                (.tlsFailed, "no trusted TLS connection to \(host)")
            case CURLE_LOGIN_DENIED: (.loginRefused, "\(host) offers no login that we know")
            case CURLE_ABORTED_BY_CALLBACK: (.cancelled, "sending to \(host) was cancelled")
            case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_WEIRD_SERVER_REPLY, CURLE_PARTIAL_FILE,
                CURLE_OK:
                (.connectionLost, "\(host) went away without an answer")
            default: (.other, "sending to \(host) failed")
            }
        let detail = reason.withUnsafeBufferPointer { buffer in
            // Behind a goodbye it would be about the goodbye.
            buffer.first == 0 || dialogue.hasLeft ? text(result) : String(cString: buffer.baseAddress!)
        }
        return MailFailure(
            kind, message: "\(what): \(redacted(detail))",
            isUncertain: dialogue.stage == .message && handedOver == mail.message.count)
    }

    private func redacted(_ reply: SMTPReply) -> SMTPReply { SMTPReply(code: reply.code, text: redacted(reply.text)) }

    private func redacted(_ text: String) -> String { MailRules.redacted(text, login: server.login) }

    private func text(_ code: CURLcode) -> String { String(cString: curl_easy_strerror(code)) }
}

// libcurl calls these on the thread that is inside `curl_easy_perform`; the context is the exchange that waits there.

private func exchange(_ context: UnsafeMutableRawPointer?) -> MailExchange? {
    context.map { Unmanaged<MailExchange>.fromOpaque($0).takeUnretainedValue() }
}

private func giveMessage(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    exchange(context)?.give(UnsafeMutableRawBufferPointer(start: bytes, count: size * count)) ?? 0
}

private func takeDialogue(
    _: UnsafeMutableRawPointer?, _ kind: curl_infotype, _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> CInt {
    let text = { String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self) }
    switch kind {
    case CURLINFO_HEADER_OUT: exchange(context)?.said(text())
    case CURLINFO_HEADER_IN: exchange(context)?.heard(text())
    default: break
    }
    return 0
}

private func checkMailProgress(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> CInt {
    exchange(context)?.shallStop == true ? 1 : 0
}
