/// SMTP over libcurl, one message at a time. TLS is demanded, from the start or by STARTTLS, unless the server is this
/// machine and no password goes to it; certificates are always verified.
package actor CurlMailTransport: MailTransport {
    private let settings: TransferSettings
    private let handle: CurlHandle
    private let executor: QueueExecutor

    /// A queue of its own, for the calls that block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Throws: `TransferFailure` if libcurl cannot start.
    package init(_ settings: TransferSettings) throws(TransferFailure) {
        self.settings = settings
        handle = try CurlHandle()
        executor = QueueExecutor(label: "finops.mail")
    }

    package func send(_ mail: Mail, to server: MailServer) async throws(MailFailure) -> MailReceipt {
        let cancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            outcome(of: mail, to: server, cancelled: cancelled)
        } onCancel: {
            cancelled.raise()
        }.get()
    }

    private func outcome(
        of mail: Mail, to server: MailServer, cancelled: CancellationFlag
    ) -> Result<MailReceipt, MailFailure> {
        let exchange = MailExchange(mail, to: server, settings: settings, cancelled: cancelled)
        return Result { () throws(MailFailure) in try exchange.run(on: handle) }
    }
}
