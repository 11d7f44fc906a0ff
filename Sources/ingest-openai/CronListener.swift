import Digest
import EventLog
import FinOps
import Foundation
import Hummingbird
import JSON
import Logging
import Providers
import Runtime
import Secret
import ServiceLifecycle
import Stages
import Transfer
import Vault

/// Lets an external scheduler start today's run: `POST /api/cron/daily-batch` with `Authorization: Bearer CRON_SECRET`.
/// It listens on this machine alone, and only where `cron_listen` says so.
struct CronListener: Service {
    static let secretID = "cron-secret"
    private static let path = "/api/cron/daily-batch"

    let address: LoopbackAddress
    let directory: StateDirectory
    let batch: DailyBatch
    let log: any EventStore
    let uses: SecretUse
    /// How a key service is reached.
    let transfer: TransferSettings
    let logger: Logger

    func run() async throws {
        if await secret() == nil {
            logger.warning(
                "nobody can start a run over HTTP yet",
                metadata: ["hint": "finops vault put \(Self.secretID) --purpose \(SecretPurpose.cron) --file FILE"])
        }
        let file = directory.cronAddress
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in await answer(to: request) },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), serverName: nil),
            onServerRunning: { channel in
                guard let port = channel.localAddress?.port else { return }
                let bound = LoopbackAddress(host: address.host, port: port)
                logger.info("listening for an external scheduler", metadata: ["address": "\(bound)"])
                do { try writeFileAtomically(file, "http://\(bound)") } catch {
                    logger.warning("the address cannot be written", metadata: ["error": "\(error)"])
                }
            },
            logger: Logger(label: "cron") { _ in SwiftLogNoOpLogHandler() })
        defer { unlink(file) }
        try await application.run()
    }

    private func answer(to request: Request) async -> Response {
        guard request.uri.path == Self.path else { return Self.response(404, ["error": "not found"]) }
        guard request.method == .post else {
            return Self.response(405, ["error": "method not allowed"], [.allow: "POST"])
        }
        guard let secret = await secret(), Self.isAuthorised(request.headers[.authorization], by: secret) else {
            logger.warning("a request without the secret was refused")
            return Self.response(401, ["error": "unauthorized"], [.wwwAuthenticate: "Bearer"])
        }
        do {
            try await uses.record(.init(try vault().entry(Self.secretID)), for: "cron", in: log)
            return Self.response(of: try await batch.ask())
        } catch {
            logger.warning("a run cannot be started", metadata: ["error": "\(error)"])
            return Self.response(503, ["error": "the log does not answer"], [.retryAfter: "5"])
        }
    }

    /// Both sides are hashed first, so that the time tells nothing, not even a length.
    static func isAuthorised(_ header: String?, by secret: Secret) -> Bool {
        let scheme = "bearer "
        guard let header, header.lowercased().hasPrefix(scheme) else { return false }
        return digest(Secret(Array(header.utf8.dropFirst(scheme.utf8.count)))) == digest(secret)
    }

    private static func digest(_ secret: Secret) -> Secret {
        var hash = SHA256()
        secret.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
        return Secret(hash.finish())
    }

    /// Read for each request, so that a new one counts at once and none stays in memory; nil if there is none to open.
    private func secret() async -> Secret? {
        hideMemory()
        do { return try await vault().secret(Self.secretID, for: SecretPurpose.cron) } catch {
            logger.debug("no secret", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func vault() -> SecretStore {
        SecretStore.under(vault: directory.vault, masterKey: directory.masterKey, transfer: transfer)
    }

    private static func response(of answer: DailyBatch.Answer) -> Response {
        let accounts = answer.accounts.map { account -> JSONValue in
            ["account": .string(account.name), "state": .string(account.state.rawValue)]
        }
        let status =
            switch answer.state {
            case .started, .underWay: 202
            case .finished: 200
            case .nothingConnected: 409
            }
        return response(
            status,
            [
                "state": .string(answer.state.rawValue), "date": .string("\(answer.date)"),
                "from": .string("\(answer.days.lowerBound)"), "to": .string("\(answer.days.upperBound)"),
                "accounts": .array(accounts),
            ])
    }

    private static func response(_ status: Int, _ body: JSONValue, _ more: HTTPFields = [:]) -> Response {
        var headers = more
        headers[.contentType] = "application/json"
        return Response(
            status: .init(code: status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: body.text + "\n")))
    }
}
