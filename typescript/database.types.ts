// Tables and functions of the extension, for createClient<Database>(…). An application that generates types of its own
// database has all of this in them, and needs no second file.
//
// Made by dev/generate from the database. Not to be edited.
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "bank_memberships": {
        Row: {
          "bank_id": string;
          "created_at": string;
          "id": string;
          "role": string;
          "user_id": string;
        };
        Insert: {
          "bank_id": string;
          "created_at"?: string;
          "id"?: string;
          "role"?: string;
          "user_id": string;
        };
        Update: {
          "bank_id"?: string;
          "created_at"?: string;
          "id"?: string;
          "role"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "bank_memberships_bank_id_fkey";
            columns: ["bank_id"];
            referencedRelation: "banks";
            referencedColumns: ["id"];
          },
        ];
      };
      "banks": {
        Row: {
          "created_at": string;
          "id": string;
          "name": string;
          "type": string;
          "updated_at": string;
        };
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "type"?: string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "type"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "import_failures": {
        Row: {
          "attempts": number;
          "code": string;
          "created_at": string;
          "error": string;
          "external_id": string | null;
          "id": string;
          "owner_user_id": string | null;
          "record": Json;
          "record_key": string;
          "source_app": string | null;
          "updated_at": string;
          "user_id": string | null;
        };
        Insert: {
          "attempts"?: number;
          "code": string;
          "created_at"?: string;
          "error": string;
          "external_id"?: string | null;
          "id"?: string;
          "owner_user_id"?: string | null;
          "record": Json;
          "record_key"?: string;
          "source_app"?: string | null;
          "updated_at"?: string;
          "user_id"?: string | null;
        };
        Update: {
          "attempts"?: number;
          "code"?: string;
          "created_at"?: string;
          "error"?: string;
          "external_id"?: string | null;
          "id"?: string;
          "owner_user_id"?: string | null;
          "record"?: Json;
          "record_key"?: string;
          "source_app"?: string | null;
          "updated_at"?: string;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "import_sources": {
        Row: {
          "account_email": string | null;
          "created_at": string;
          "error_message": string | null;
          "id": string;
          "is_active": boolean;
          "last_sync_at": string | null;
          "source_app": string;
          "updated_at": string;
          "user_id": string;
        };
        Insert: {
          "account_email"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "last_sync_at"?: string | null;
          "source_app": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "account_email"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "last_sync_at"?: string | null;
          "source_app"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "recordings": {
        Row: {
          "audio_url": string | null;
          "bank_id": string;
          "created_at": string;
          "duration": number | null;
          "full_transcript": string | null;
          "global_tags": (string)[] | null;
          "id": string;
          "owner_user_id": string;
          "recording_end_time": string | null;
          "recording_start_time": string | null;
          "source_app": string | null;
          "source_metadata": Json;
          "summary": string | null;
          "synced_at": string | null;
          "title": string;
          "updated_at": string;
          "video_url": string | null;
          "source_metadata_ordered": Json | null;
        };
        Insert: {
          "audio_url"?: string | null;
          "bank_id": string;
          "created_at"?: string;
          "duration"?: number | null;
          "full_transcript"?: string | null;
          "global_tags"?: (string)[] | null;
          "id"?: string;
          "owner_user_id": string;
          "recording_end_time"?: string | null;
          "recording_start_time"?: string | null;
          "source_app"?: string | null;
          "source_metadata"?: Json;
          "summary"?: string | null;
          "synced_at"?: string | null;
          "title": string;
          "updated_at"?: string;
          "video_url"?: string | null;
        };
        Update: {
          "audio_url"?: string | null;
          "bank_id"?: string;
          "created_at"?: string;
          "duration"?: number | null;
          "full_transcript"?: string | null;
          "global_tags"?: (string)[] | null;
          "id"?: string;
          "owner_user_id"?: string;
          "recording_end_time"?: string | null;
          "recording_start_time"?: string | null;
          "source_app"?: string | null;
          "source_metadata"?: Json;
          "summary"?: string | null;
          "synced_at"?: string | null;
          "title"?: string;
          "updated_at"?: string;
          "video_url"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "recordings_bank_id_fkey";
            columns: ["bank_id"];
            referencedRelation: "banks";
            referencedColumns: ["id"];
          },
        ];
      };
      "sync_jobs": {
        Row: {
          "completed_at": string | null;
          "created_at": string;
          "error": string | null;
          "failed_ids": (string)[];
          "id": string;
          "metadata": Json;
          "progress_current": number;
          "progress_total": number;
          "recording_ids": (string)[] | null;
          "skipped_count": number;
          "source_app": string | null;
          "started_at": string | null;
          "status": string;
          "synced_ids": (string)[];
          "type": string;
          "updated_at": string;
          "user_id": string;
        };
        Insert: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "error"?: string | null;
          "failed_ids"?: (string)[];
          "id"?: string;
          "metadata"?: Json;
          "progress_current"?: number;
          "progress_total"?: number;
          "recording_ids"?: (string)[] | null;
          "skipped_count"?: number;
          "source_app"?: string | null;
          "started_at"?: string | null;
          "status"?: string;
          "synced_ids"?: (string)[];
          "type"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "error"?: string | null;
          "failed_ids"?: (string)[];
          "id"?: string;
          "metadata"?: Json;
          "progress_current"?: number;
          "progress_total"?: number;
          "recording_ids"?: (string)[] | null;
          "skipped_count"?: number;
          "source_app"?: string | null;
          "started_at"?: string | null;
          "status"?: string;
          "synced_ids"?: (string)[];
          "type"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "vault_entries": {
        Row: {
          "created_at": string;
          "id": string;
          "local_tags": (string)[] | null;
          "notes": string | null;
          "recording_id": string;
          "updated_at": string;
          "vault_id": string;
        };
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "local_tags"?: (string)[] | null;
          "notes"?: string | null;
          "recording_id": string;
          "updated_at"?: string;
          "vault_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "local_tags"?: (string)[] | null;
          "notes"?: string | null;
          "recording_id"?: string;
          "updated_at"?: string;
          "vault_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "vault_entries_recording_id_fkey";
            columns: ["recording_id"];
            referencedRelation: "recordings";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "vault_entries_vault_id_fkey";
            columns: ["vault_id"];
            referencedRelation: "vaults";
            referencedColumns: ["id"];
          },
        ];
      };
      "vault_memberships": {
        Row: {
          "created_at": string;
          "id": string;
          "role": string;
          "user_id": string;
          "vault_id": string;
        };
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "role"?: string;
          "user_id": string;
          "vault_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "role"?: string;
          "user_id"?: string;
          "vault_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "vault_memberships_vault_id_fkey";
            columns: ["vault_id"];
            referencedRelation: "vaults";
            referencedColumns: ["id"];
          },
        ];
      };
      "vaults": {
        Row: {
          "bank_id": string;
          "created_at": string;
          "id": string;
          "name": string;
          "updated_at": string;
          "vault_type": string;
        };
        Insert: {
          "bank_id": string;
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "updated_at"?: string;
          "vault_type"?: string;
        };
        Update: {
          "bank_id"?: string;
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "updated_at"?: string;
          "vault_type"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "vaults_bank_id_fkey";
            columns: ["bank_id"];
            referencedRelation: "banks";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "check_duplicate": {
        Args: { "p_external_id": string; "p_source_app": string; "p_user_id": string };
        Returns: Json;
      };
      "check_duplicates": {
        Args: { "p_external_ids": (string)[]; "p_source_app": string; "p_user_id": string };
        Returns: {
          "existing_recording_id": string;
          "external_id": string;
          "is_duplicate": boolean;
        }[];
      };
      "ensure_personal_bank": { Args: { "p_user_id"?: string }; Returns: string };
      "finish_sync_job": { Args: { "p_error"?: string; "p_sync_job_id": string }; Returns: Json };
      "get_import_counts": {
        Args: { "p_user_id"?: string };
        Returns: {
          "call_count": number;
          "source_app": string;
        }[];
      };
      "insert_recording": { Args: { "p_record": Json; "p_user_id"?: string }; Returns: Json };
      "retry_failed_imports": {
        Args: { "p_limit"?: number; "p_source_app"?: string; "p_user_id"?: string };
        Returns: Json;
      };
      "run_pipeline": { Args: { "p_record": Json; "p_user_id"?: string }; Returns: Json };
      "run_pipeline_batch": {
        Args: { "p_dry_run"?: boolean; "p_records": Json; "p_sync_job_id"?: string; "p_user_id"?: string };
        Returns: Json;
      };
      "source_metadata_ordered": {
        Args: { "": Database["public"]["Tables"]["recordings"]["Row"] };
        Returns:
          & { error: true }
          & "the function public.source_metadata_ordered with parameter or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache";
      };
      "start_sync_job": {
        Args: { "p_external_ids"?: (string)[]; "p_source_app": string; "p_user_id"?: string };
        Returns: string;
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Insert: infer I;
  } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Update: infer U;
  } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {},
  },
} as const;
