import EventLog
import FinOps
import Metering
import NIOCore
import NIOHTTP1
import Proxy
import Synchronization

/// Watches one attempt: reads what it used while it passes, and has it kept before its end is released.
final class CallWatch: CallObserving {
    private struct Seen {
        var meter: ResponseMeter?
        var status: HTTPResponseStatus?
        var firstByte: Int64 = 0
        var upstreamRequest = ""
    }

    private let desk: CallDesk
    private let ticket: Admission.Ticket
    private let call: IncomingCall
    private let seen = Mutex(Seen())

    init(_ call: IncomingCall, _ ticket: Admission.Ticket, desk: CallDesk) {
        self.call = call
        self.ticket = ticket
        self.desk = desk
    }

    func answered(status: HTTPResponseStatus, headers: HTTPHeaders) -> HTTPHeaders {
        var headers = headers
        let isChanged = call.facts.splice != nil
        let type = headers.first(name: "content-type")
        if isChanged { headers.remove(name: "content-length") }
        // Clients follow with the key that they have for us: where to, no upstream may choose.
        if (300..<400).contains(status.code) { headers.remove(name: "location") }
        headers.replaceOrAdd(name: "x-finops-call", value: call.attempt.call)
        seen.withLock { seen in
            seen.status = status
            seen.firstByte = max(1, call.microsecondsSoFar)
            seen.upstreamRequest = CallContext.printable(
                headers.first(name: "x-request-id") ?? headers.first(name: "request-id")
                    ?? headers.first(name: "apim-request-id") ?? "")
            seen.meter = ResponseMeter(call.match.route, call.facts, status: Int(status.code), contentType: type)
        }
        return headers
    }

    func received(_ bytes: ByteBuffer) -> ByteBuffer {
        seen.withLock { seen in
            switch bytes.withUnsafeReadableBytes({ seen.meter?.receive($0) ?? .unchanged }) {
            case .unchanged: bytes
            case .replaced(let other): ByteBuffer(bytes: other)
            }
        }
    }

    func ended(_ end: CallEnd) -> ByteBuffer {
        let (status, firstByte, upstreamRequest, rest, reading) = seen.withLock { seen in
            let answerEnd = AnswerEnd(end)
            var rest: [UInt8] = []
            let reading: MeterReading
            if seen.meter != nil, let finished = seen.meter?.finish(answerEnd) {
                (rest, reading) = finished
            } else {
                reading = .unanswered(call.match.route, call.facts, answerEnd)
            }
            seen.meter = nil
            return (seen.status, seen.firstByte, seen.upstreamRequest, rest, reading)
        }
        var event = WireCallRecorded()
        fill(&event)
        event.status = UInt32(status?.code ?? 0)
        // Official clients leave at a stream's last event and do not wait for the end of its transfer.
        let isWhole = end == .clientGone && reading.isLastWordHeard
        event.ended = (isWhole ? .complete : AnswerEnd(end)).rawValue
        event.firstByte = firstByte
        event.duration = call.microsecondsSoFar
        event.upstreamRequest = upstreamRequest
        desk.record(&event, call, ticket, reading)
        return rest.isEmpty ? ByteBuffer() : ByteBuffer(bytes: rest)
    }

    func answer(insteadOf end: CallEnd) -> ProxyAnswer {
        let name = ticket.door.facts.name
        return desk.answer(end == .timedOut ? .timedOut(upstream: name) : .unreachable(upstream: name), call)
    }

    private func fill(_ event: inout WireCallRecorded) {
        let upstream = ticket.door.facts
        event.call = call.attempt.call
        event.attempt = call.attempt.attempt
        event.gateway = desk.gateway
        event.key = ticket.key.id
        event.project = ticket.key.project
        event.upstream = upstream.name
        event.provider = upstream.provider.rawValue
        event.account = upstream.account
        if let key = upstream.providerKeyID { event.providerKeyID = key }
        if let project = upstream.providerProjectID { event.providerProjectID = project }
        event.route = call.match.route.name
        event.modelAsked = call.facts.model
        event.started = call.started.microseconds
        event.streamed = call.facts.streams
        event.context = ticket.context.wire
    }
}
