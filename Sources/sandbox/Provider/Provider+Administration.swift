import JSON

extension Provider {
    /// `GET /organization/projects`
    func projects(after: String?, limit: Int) -> ProviderAnswer {
        list(
            Organization.projects.map { id in
                (
                    id,
                    [
                        "id": .string(id), "object": "organization.project",
                        "name": .string(String(id.dropFirst("proj_".count))), "created_at": .integer(week.start),
                        "archived_at": nil, "status": "active",
                    ]
                )
            }, after: after, limit: limit)
    }

    /// `GET /organization/projects/{id}/api_keys`
    func keys(of project: String, after: String?, limit: Int) -> ProviderAnswer {
        guard Organization.projects.contains(project) else {
            return ProviderRefusal.notFound("The project \(project)").answer
        }
        let keys = Organization.keys.filter { $0.project == project }
        return list(
            keys.map { key in
                (
                    key.id,
                    [
                        "object": "organization.project.api_key", "redacted_value": "sk-proj-***0000",
                        "name": .string(key.name), "created_at": .integer(week.start), "last_used_at": nil,
                        "id": .string(key.id), "owner_project_access": "active",
                        "owner": [
                            "type": "service_account",
                            "service_account": [
                                "id": .string("svc_acct_" + key.name), "name": .string(key.name), "role": "member",
                                "created_at": .integer(week.start),
                            ],
                        ],
                    ]
                )
            }, after: after, limit: limit)
    }

    private func list(_ items: [(id: String, value: JSONValue)], after: String?, limit: Int) -> ProviderAnswer {
        let from = after.flatMap { id in items.firstIndex { $0.id == id } }.map { $0 + 1 } ?? 0
        let page = items[from...].prefix(limit)
        return ProviderAnswer([
            "object": "list", "data": .array(page.map(\.value)), "first_id": JSONValue(page.first?.id),
            "last_id": JSONValue(page.last?.id), "has_more": .bool(page.endIndex < items.endIndex),
        ])
    }
}
