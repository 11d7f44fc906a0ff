import Metering
import NIOCore
import Proxy
import Synchronization

/// A large form: read while it comes, so that a recording can go on before it is whole.
final class UploadedForm: BodyReading {
    private struct State {
        var reader: FormReader
        var facts: RequestFacts?
    }

    private let state: Mutex<State>
    private let refusal: @Sendable (MalformedRequest) -> ProxyAnswer

    init(_ reader: FormReader, refusal: @escaping @Sendable (MalformedRequest) -> ProxyAnswer) {
        state = Mutex(State(reader: reader))
        self.refusal = refusal
    }

    /// What it says: with bounds for what is still to come, then as it is; nil while too little is known.
    var facts: RequestFacts? { state.withLock { $0.facts } }

    func read(_ piece: ByteBuffer) -> BodyProgress {
        let read = state.withLock { state in
            Result { () throws(MalformedRequest) in
                try piece.withUnsafeReadableBytes { bytes throws(MalformedRequest) in try state.reader.read(bytes) }
                guard let facts = state.reader.beginning() else { return false }
                state.facts = facts
                return true
            }
        }
        switch read {
        case .success(let isClear): return isClear ? .clear : .unclear
        case .failure(let malformed): return .refused(refusal(malformed))
        }
    }

    func finish() -> ProxyAnswer? {
        let finished = state.withLock { state in
            Result { () throws(MalformedRequest) in state.facts = try state.reader.finish() }
        }
        if case .failure(let malformed) = finished { return refusal(malformed) }
        return nil
    }
}
