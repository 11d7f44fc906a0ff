import CCurl
import Dispatch
import Synchronization

/// HTTP over libcurl: one easy handle, so one request at a time and its connection kept for the next one. The calls
/// block, so the actor runs on a queue of its own and never on the cooperative pool. Redirects are not followed, and
/// certificates are always verified.
package actor CurlTransport: HTTPTransport {
    private let settings: TransferSettings
    private let handle: CurlHandle
    private let executor: QueueExecutor

    /// A queue of its own, for the calls that block.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Throws: `TransferFailure` if libcurl cannot start.
    package init(_ settings: TransferSettings = TransferSettings()) throws(TransferFailure) {
        self.settings = settings
        handle = try CurlHandle()
        executor = QueueExecutor(label: "finops.transfer")
    }

    package func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse {
        let cancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            outcome(of: request, cancelled: cancelled)
        } onCancel: {
            cancelled.raise()
        }.get()
    }

    private func outcome(of request: HTTPRequest, cancelled: CancellationFlag) -> Result<HTTPResponse, TransferFailure>
    {
        let exchange = CurlExchange(settings: settings, cancelled: cancelled)
        return Result { () throws(TransferFailure) in try exchange.run(request, on: handle) }
    }
}

/// An actor's executor around a serial queue (Linux has no `DispatchSerialQueue` to conform).
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}

/// Raised by a cancelled task, read by libcurl's progress call.
final class CancellationFlag: Sendable {
    private let raised = Atomic(false)

    func raise() { raised.store(true, ordering: .relaxed) }
    var isRaised: Bool { raised.load(ordering: .relaxed) }
}

/// One easy handle of libcurl. Noncopyable, so that it is used in one place and cleaned up once.
struct CurlHandle: ~Copyable {
    let pointer: UnsafeMutableRawPointer

    /// libcurl's own start, once for the process and before any handle.
    private static let started = finops_curl_global_init()

    init() throws(TransferFailure) {
        guard Self.started == CURLE_OK, let pointer = curl_easy_init() else {
            throw TransferFailure(.other, message: "libcurl does not start")
        }
        self.pointer = pointer
    }

    deinit { curl_easy_cleanup(pointer) }
}
