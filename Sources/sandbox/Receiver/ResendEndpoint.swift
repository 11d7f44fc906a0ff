import Foundation
import JSON

/// Answers as Resend's `POST /emails` does; the same idempotency key is answered the same and kept once.
actor ResendEndpoint {
    struct Answer: Sendable {
        let status: Int
        let body: JSONValue
        /// nil if nothing new was taken.
        var mail: JSONValue?
    }

    private var answered: [String: (body: [UInt8], answer: JSONValue)] = [:]

    func answer(
        to body: [UInt8], authorization: String?, userAgent: String?, idempotencyKey: String?
    ) -> Answer {
        guard userAgent?.isEmpty == false else { return Self.refusal(403, "1010", "no User-Agent: error code: 1010") }
        guard let authorization else { return Self.refusal(401, "missing_api_key", "Missing API key in the header") }
        guard authorization.hasPrefix("Bearer re_") else {
            return Self.refusal(403, "invalid_api_key", "API key is invalid")
        }
        if let key = idempotencyKey {
            guard (1...256).contains(key.count) else {
                return Self.refusal(400, "invalid_idempotency_key", "The key must have 1 to 256 characters")
            }
            if let earlier = answered[key] {
                guard earlier.body == body else {
                    return Self.refusal(409, "invalid_idempotent_request", "Same idempotency key, another payload")
                }
                return Answer(status: 200, body: earlier.answer)
            }
        }
        // What is no JSON has none of the fields.
        guard let mail = try? JSONValue.parse(body), mail["from"]?.string != nil, mail["subject"]?.string != nil,
            mail["html"]?.string != nil || mail["text"]?.string != nil
        else { return Self.refusal(422, "missing_required_field", "from, to, subject, and html or text are required") }
        guard (1...50).contains(Self.recipients(of: mail).count) else {
            return Self.refusal(422, "validation_error", "`to` has 1 to 50 addresses")
        }
        let id: JSONValue = ["id": .string(UUID().uuidString.lowercased())]
        if let idempotencyKey { answered[idempotencyKey] = (body, id) }
        return Answer(status: 200, body: id, mail: mail)
    }

    static func recipients(of mail: JSONValue) -> [JSONValue] {
        mail["to"]?.array ?? (mail["to"]?.string).map { [.string($0)] } ?? []
    }

    private static func refusal(_ status: Int, _ name: String, _ message: String) -> Answer {
        Answer(
            status: status,
            body: ["statusCode": .integer(status), "name": .string(name), "message": .string(message)])
    }
}
