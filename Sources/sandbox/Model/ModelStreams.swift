import JSON

/// The same answers as server-sent events, each ready to be written.
enum ModelStreams {
    private static func event(_ data: JSONValue, name: String? = nil) -> String {
        (name.map { "event: \($0)\n" } ?? "") + "data: \(data.text)\n\n"
    }

    // MARK: Chat

    static func chat(_ request: ModelRequest) -> [String] {
        let reportsUsage = request.body["stream_options"]?["include_usage"]?.bool ?? false
        func chunk(_ choices: JSONValue, usage: JSONValue = .null) -> String {
            var chunk: [JSONValue.Member] = [
                .init("id", "chatcmpl-sandbox"), .init("object", "chat.completion.chunk"),
                .init("created", .integer(ModelAnswers.created)), .init("model", .string(request.served)),
                .init("service_tier", .string(request.tier)), .init("system_fingerprint", "fp_sandbox"),
                .init("choices", choices),
            ]
            if reportsUsage { chunk.append(.init("usage", usage)) }
            return event(.object(chunk))
        }
        func choice(_ delta: JSONValue, finish: JSONValue = .null) -> JSONValue {
            [["index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish]]
        }
        var events = [chunk(choice(["role": "assistant", "content": "", "refusal": nil]))]
        if let tool = request.tool {
            var call = ModelAnswers.call(tool).members ?? []
            call.insert(.init("index", 0), at: 0)
            events.append(chunk(choice(["tool_calls": [.object(call)]])))
        } else {
            events += request.pieces.map { chunk(choice(["content": .string($0)])) }
        }
        events.append(chunk(choice([:], finish: .string(ModelAnswers.finish(request)))))
        if reportsUsage { events.append(chunk([], usage: ModelAnswers.chatUsage(request))) }
        return events + ["data: [DONE]\n\n"]
    }

    static func completion(_ request: ModelRequest) -> [String] {
        let reportsUsage = request.body["stream_options"]?["include_usage"]?.bool ?? false
        func chunk(_ choices: JSONValue, usage: JSONValue = .null) -> String {
            var chunk: [JSONValue.Member] = [
                .init("id", "cmpl-sandbox"), .init("object", "text_completion"),
                .init("created", .integer(ModelAnswers.created)), .init("model", .string(request.served)),
                .init("choices", choices),
            ]
            if reportsUsage { chunk.append(.init("usage", usage)) }
            return event(.object(chunk))
        }
        var events = request.pieces.map {
            chunk([["text": .string($0), "index": 0, "logprobs": nil, "finish_reason": nil]])
        }
        events.append(
            chunk([["text": "", "index": 0, "logprobs": nil, "finish_reason": .string(ModelAnswers.finish(request))]]))
        if reportsUsage {
            events.append(chunk([], usage: ModelAnswers.completion(request)["usage"] ?? .null))
        }
        return events + ["data: [DONE]\n\n"]
    }

    // MARK: Responses

    /// Numbered from 0, each with its name; usage comes with the last one.
    static func response(_ request: ModelRequest, id: String) -> [String] {
        var events: [String] = []
        func add(_ type: String, _ members: KeyValuePairs<String, JSONValue>) {
            let all =
                [JSONValue.Member("type", .string(type))] + members.map { .init($0.key, $0.value) }
                + [.init("sequence_number", .integer(events.count))]
            events.append(event(.object(all), name: type))
        }
        let begun = ModelAnswers.response(request, id: id, status: "in_progress")
        add("response.created", ["response": begun])
        add("response.in_progress", ["response": begun])
        let item = ModelAnswers.item(request)
        if let tool = request.tool {
            let open = item.members?.map { $0.name == "arguments" ? .init("arguments", "") : $0 } ?? []
            add("response.output_item.added", ["output_index": 0, "item": .object(open)])
            add(
                "response.function_call_arguments.delta",
                ["item_id": "fc_sandbox", "output_index": 0, "delta": .string(tool.arguments.text)])
            add(
                "response.function_call_arguments.done",
                [
                    "item_id": "fc_sandbox", "output_index": 0, "name": .string(tool.name),
                    "arguments": .string(tool.arguments.text),
                ])
        } else {
            let open: JSONValue = [
                "id": "msg_sandbox", "type": "message", "status": "in_progress", "role": "assistant", "content": [],
            ]
            let place: KeyValuePairs<String, JSONValue> = [
                "item_id": "msg_sandbox", "output_index": 0, "content_index": 0,
                "part": ["type": "output_text", "text": "", "annotations": []],
            ]
            add("response.output_item.added", ["output_index": 0, "item": open])
            add("response.content_part.added", place)
            for piece in request.pieces {
                add(
                    "response.output_text.delta",
                    [
                        "item_id": "msg_sandbox", "output_index": 0, "content_index": 0, "delta": .string(piece),
                        "logprobs": [],
                    ])
            }
            add(
                "response.output_text.done",
                [
                    "item_id": "msg_sandbox", "output_index": 0, "content_index": 0, "text": .string(request.text),
                    "logprobs": [],
                ])
            add(
                "response.content_part.done",
                [
                    "item_id": "msg_sandbox", "output_index": 0, "content_index": 0,
                    "part": item["content"]?.array?.first ?? .null,
                ])
        }
        add("response.output_item.done", ["output_index": 0, "item": item])
        let status = request.isCutOff && request.tool == nil ? "incomplete" : "completed"
        add("response.\(status)", ["response": ModelAnswers.response(request, id: id, status: status)])
        return events
    }

    // MARK: Anthropic

    static func anthropic(_ request: ModelRequest) -> [String] {
        var start = ModelAnswers.anthropic(request).members ?? []
        for place in start.indices {
            switch start[place].name {
            case "content": start[place].value = []
            case "stop_reason": start[place].value = .null
            case "usage": start[place].value = ModelAnswers.anthropicUsage(request, output: 1)
            default: break
            }
        }
        var events = [
            event(["type": "message_start", "message": .object(start)], name: "message_start")
        ]
        func delta(_ delta: JSONValue) -> String {
            event(["type": "content_block_delta", "index": 0, "delta": delta], name: "content_block_delta")
        }
        func open(_ block: JSONValue) -> String {
            event(["type": "content_block_start", "index": 0, "content_block": block], name: "content_block_start")
        }
        if let tool = request.tool {
            events.append(
                open(["type": "tool_use", "id": "toolu_sandbox", "name": .string(tool.name), "input": [:]]))
            events.append(delta(["type": "input_json_delta", "partial_json": .string(tool.arguments.text)]))
        } else {
            events.append(open(["type": "text", "text": ""]))
            events.append(event(["type": "ping"], name: "ping"))
            events += request.pieces.map { delta(["type": "text_delta", "text": .string($0)]) }
        }
        events.append(event(["type": "content_block_stop", "index": 0], name: "content_block_stop"))
        events.append(
            event(
                [
                    "type": "message_delta",
                    "delta": ["stop_reason": .string(ModelAnswers.stop(request)), "stop_sequence": nil],
                    "usage": ["output_tokens": .integer(request.outputTokens)],
                ], name: "message_delta"))
        events.append(event(["type": "message_stop"], name: "message_stop"))
        return events
    }
}
