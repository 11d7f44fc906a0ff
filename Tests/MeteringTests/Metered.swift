import FinOps
import Foundation
import Metering
import Testing

/// Runs fixtures through the meter as the gateway would.
enum Metered {
    struct Outcome: Equatable {
        var client: [UInt8]
        var reading: MeterReading
        var call: WireCallRecorded

        var text: String { String(decoding: client, as: UTF8.self) }
        var nanos: Int64? { call.hasCost ? call.cost.nanos : nil }
    }

    static func fixture(_ name: String) throws -> [UInt8] {
        let folder = Bundle.module.resourceURL?.appendingPathComponent("Fixtures")
        return Array(try Data(contentsOf: try #require(folder).appendingPathComponent(name)))
    }

    static func match(_ target: String, _ method: String = "POST", anthropic: Bool = false) throws -> RouteMatch {
        try #require(RouteMatch(method: method, target: target, speaksAnthropic: anthropic))
    }

    static func facts(
        _ target: String, _ body: String, type: String? = "application/json"
    ) throws -> RequestFacts {
        try Array(body.utf8).withUnsafeBytes {
            try RequestFacts.read(try match(target).route, contentType: type, body: $0)
        }
    }

    /// - Parameter cuts: lengths of the pieces in which the answer comes; what is left over comes at the end.
    static func run(
        _ target: String, method: String = "POST", body: String = #"{"model":"gpt-4o-mini","messages":[]}"#,
        bodyType: String? = "application/json", answer: [UInt8], type: String = "application/json", status: Int = 200,
        provider: String? = nil, cuts: [Int] = [], end: AnswerEnd = .complete
    ) throws -> Outcome {
        let route = try match(target, method).route
        let facts = try Array(body.utf8).withUnsafeBytes {
            try RequestFacts.read(route, contentType: bodyType, body: $0)
        }
        var meter = ResponseMeter(route, facts, status: status, contentType: type)
        var client: [UInt8] = []
        var rest = answer[...]
        for cut in cuts + [answer.count] {
            let piece = Array(rest.prefix(cut))
            rest = rest.dropFirst(cut)
            switch piece.withUnsafeBytes({ meter.receive($0) }) {
            case .unchanged: client += piece
            case .replaced(let bytes): client += bytes
            }
        }
        let (last, reading) = meter.finish(end)
        var call = WireCallRecorded()
        call.provider = provider ?? route.dialect.rawValue
        call.modelAsked = facts.model
        call.started = 1_795_168_800_000_000
        var pricing = CallPricing(.seed, policy: ReservationPolicy(unpricedPerMillion: 10_000_000_000))
        pricing.complete(&call, route, reading)
        return Outcome(client: client + last, reading: reading, call: call)
    }
}
